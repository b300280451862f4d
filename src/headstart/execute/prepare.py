"""Makes ready, once, what all runs of a study share: corpus, checkpoints, tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from headstart.config.expand import Run, settings
from headstart.config.study import Arm, Study
from headstart.data.assets import Announce
from headstart.data.batches import target_counts
from headstart.data.checks import load_corpus
from headstart.data.corpus import PARTS, Corpus, Part, Text
from headstart.data.prompts import encode_conversations, set_template
from headstart.data.splits import subset
from headstart.data.tokenise import Tokens, tokenise
from headstart.engine.device import Precision, choose_device, choose_precision, has_bf16
from headstart.engine.sharing import refuse_leaks
from headstart.errors import DataError, ModelError
from headstart.execute.methods import check_methods
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.models.initialise import absent, initialise
from headstart.models.vocabulary import used_ids
from headstart.records import RunRecord, StudyWarning

#: A share of cut texts above this is worth a warning.
TRUNCATED = 0.01


@dataclass(frozen=True)
class Prepared:
    """Everything but the runs: picklable, and small where tokens lie in the cache.

    `tokens` is keyed by (checkpoint, token limit), and so is `vocabulary`: the ids in use, ascending, or
    None where the whole table trains. `absent` are the names of the weights that a checkpoint lacks.
    `precision` is what runs that leave it open compute in: decided once, so that all processes agree.
    """

    study: Study
    corpus: Corpus
    checkpoints: dict[str, Checkpoint]
    tokens: dict[tuple[str, int], dict[Part, Tokens]]
    vocabulary: dict[tuple[str, int], np.ndarray | None]
    notices: tuple[StudyWarning, ...]
    absent: dict[str, frozenset[str]] = field(default_factory=dict)
    precision: Precision = "fp32"
    commit: str | None = None

    def precision_of(self, run: Run) -> Precision:
        """The number format of the run's products."""
        asked = run.training.precision
        return self.precision if asked == "auto" else asked

    @property
    def shares_rows(self) -> bool:
        """Whether short texts of a batch share a row."""
        return self.study.prompts.packing and self.study.task == "instruction"

    def lacking(self, run: Run) -> frozenset[str]:
        """The names of the weights that the run's checkpoint lacks, where its method asks."""
        return self.absent.get(run.checkpoint, frozenset())

    @property
    def digests(self) -> frozenset[str]:
        """What tells the study's checkpoints from others."""
        return frozenset(checkpoint.digest for checkpoint in self.checkpoints.values())

    def tokens_of(self, run: Run) -> dict[Part, Tokens]:
        """The tokens that `run` trains on and is measured with."""
        return self.tokens[_tokens_key(run, self.checkpoints)]

    def vocabulary_of(self, run: Run) -> np.ndarray | None:
        """The ids whose embedding rows `run` trains; None for all, or where the method trains none."""
        return None if run.method != "full" else self.vocabulary[_tokens_key(run, self.checkpoints)]

    def of(self, run: Run) -> PreparedRun:
        """The run with all that it needs of the study."""
        return PreparedRun(run, self)


@dataclass(frozen=True)
class PreparedRun:
    """A run with all that it needs: nobody looks anything up for it."""

    run: Run
    study: Prepared

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint whose architecture, and unless random whose weights, it starts from."""
        return self.study.checkpoints[self.run.checkpoint]

    @property
    def checkpoint_digest(self) -> str | None:
        """What tells its checkpoint from others; None for a method that starts from none."""
        checkpoint = self.study.checkpoints.get(self.run.checkpoint)
        return checkpoint.digest if checkpoint else None

    @property
    def precision(self) -> Precision:
        """The number format of its products."""
        return self.study.precision_of(self.run)

    @property
    def tokens(self) -> dict[Part, Tokens]:
        """The tokens that it trains on and is measured with."""
        return self.study.tokens_of(self.run)

    @property
    def used_ids(self) -> np.ndarray | None:
        """The ids whose embedding rows it trains, ascending; None for all, or where it trains none."""
        return self.study.vocabulary_of(self.run)

    @property
    def missing_keys(self) -> frozenset[str]:
        """The names of the weights that its checkpoint lacks, where its method asks."""
        return self.study.lacking(self.run)

    @property
    def max_length(self) -> int:
        """Most tokens of a text."""
        return self.checkpoint.length(self.run.training.max_length)

    @cached_property
    def train_index(self) -> np.ndarray:
        """The training examples that it learns from, by their place in the corpus."""
        return subset(self.study.corpus.parts["train"], self.run.size, self.run.seed)

    @property
    def train_count(self) -> int:
        """How many training examples it learns from."""
        return len(self.study.corpus.parts["train"]) if self.run.size == "all" else self.run.size

    def __reduce__(self) -> tuple[Any, ...]:
        return PreparedRun, (self.run, self.study)


def prepare(
    study: Study, runs: Sequence[Run], *, commit: str | None = None, announce: Announce = lambda _: None
) -> Prepared:
    """Read and check the data, open the checkpoints, tokenise.

    Raises:
        DataError, ModelError, AssetError: as their readers say, weights included; ModelError also where a
            random control has another architecture than an arm it is held against.
    """
    corpus = load_corpus(study)
    neural = [run for run in runs if run.method != "bag-of-words"]
    names = dict.fromkeys(run.checkpoint for run in neural)
    checkpoints = {name: open_checkpoint(name, study.task, corpus.label_names, announce) for name in names}
    if study.task == "instruction":
        for checkpoint in checkpoints.values():
            set_template(checkpoint.tokenizer, study.prompts)
            if study.prompts.packing:
                model = initialise(checkpoint, pretrained=False, seed=0)
                refuse_leaks(model, checkpoint.tokenizer.pad_token_id)
    _check_same_architecture(study, neural, checkpoints)
    # A study must not fail in its third hour for what its first second could tell.
    loaded = [run.checkpoint for run in neural if run.pretrained or run.method != "full"]
    lacking = {name: absent(checkpoints[name]) for name in dict.fromkeys(loaded)}
    check_methods(neural, checkpoints, lacking)
    tokens = {}
    for key in dict.fromkeys(_tokens_key(run, checkpoints) for run in neural):
        name, limit = key
        tokenizer = checkpoints[name].tokenizer
        tokens[key] = {part: _tokens(corpus.parts[part].texts, tokenizer, limit, study) for part in PARTS}
    vocabulary = {
        key: used_ids(parts.values(), checkpoints[key[0]].tokenizer.pad_token_id)
        if study.vocabulary == "used" and study.task != "instruction"
        else None
        for key, parts in tokens.items()
    }
    notices = (*corpus.notices, *_truncation(tokens), *_nothing_to_say(tokens))
    is_open = any(run.training.precision == "auto" for run in neural)
    precision = choose_precision("auto", choose_device(study.device)) if is_open else "fp32"
    return Prepared(study, corpus, checkpoints, tokens, vocabulary, notices, lacking, precision, commit)


def as_begun(prepared: Prepared, done: Iterable[RunRecord]) -> Prepared:
    """The same, going on in the precision of runs that are `done`, so that arms stay comparable.

    Not where the hardware lacks it: to emulate bf16 can take many times as long.
    """
    study = prepared.study
    is_open = {name: _leaves_precision_open(study, arm) for name, arm in study.arms.items()}
    used = {r.execution.precision for r in done if r.execution and is_open.get(r.arm)}
    if used == {"fp32"}:
        return replace(prepared, precision="fp32")
    if used == {"bf16"} and has_bf16(choose_device(study.device)):
        return replace(prepared, precision="bf16")
    return prepared


def _leaves_precision_open(study: Study, arm: Arm) -> bool:
    return arm.method != "bag-of-words" and settings(study, arm).precision == "auto"


def _tokens(texts: Sequence[Text], tokenizer: Any, limit: int, study: Study) -> Tokens:
    if study.task != "instruction":
        return tokenise(texts, tokenizer, limit)
    all_tokens = study.prompts.loss == "all"
    how = partial(encode_conversations, all_tokens=all_tokens)
    return tokenise(texts, tokenizer, limit, how, f"{tokenizer.chat_template} {all_tokens}")


def _tokens_key(run: Run, checkpoints: dict[str, Checkpoint]) -> tuple[str, int]:
    return run.checkpoint, checkpoints[run.checkpoint].length(run.training.max_length)


def _check_same_architecture(study: Study, runs: Sequence[Run], checkpoints: dict[str, Checkpoint]) -> None:
    """Random weights are a control for their own architecture only."""
    control = study.control_arm
    of_arm = {run.arm: checkpoints[run.checkpoint] for run in runs}
    if study.confounded or control not in of_arm or study.arms[control].init != "random":
        return
    for name, checkpoint in of_arm.items():
        theirs = of_arm[control].shape
        differ = [k for k, v in checkpoint.shape.items() if theirs.get(k) != v]
        if differ:
            shown = ", ".join(f"{k} {checkpoint.shape[k]} against {theirs.get(k)}" for k in differ[:3])
            raise ModelError(
                f"another architecture than its control {control}: {shown}",
                where=f"arms.{name}.init",
                expected="a checkpoint of the architecture of `model`",
                fix="set `model` to it, or `confounded: true`",
            )


def _nothing_to_say(tokens: dict[tuple[str, int], dict[Part, Tokens]]) -> Iterator[StudyWarning]:
    """Examples whose prompts leave no room for an answer.

    Raises:
        DataError: all of them.
    """
    for (_, limit), parts in tokens.items():
        empty = int((target_counts(parts["train"]) == 0).sum())
        if empty == len(parts["train"]):
            raise DataError(
                f"no prompt leaves room for an answer in {limit} tokens",
                where="training.max_length",
                fix="set training.max_length higher",
            )
        if empty:
            what = f"{empty} prompts of train leave no room for an answer in {limit} tokens"
            yield StudyWarning(kind="no-room", message=f"{what}: nothing is learnt from them")


def _truncation(tokens: dict[tuple[str, int], dict[Part, Tokens]]) -> list[StudyWarning]:
    notices = []
    for (_, limit), parts in tokens.items():
        cut, texts = sum(t.truncated for t in parts.values()), sum(map(len, parts.values()))
        if cut > TRUNCATED * texts:
            share = f"{100 * cut / texts:.1f}%"
            notices.append(
                StudyWarning(kind="truncated", message=f"{cut} texts ({share}) are cut at {limit} tokens")
            )
    return list(dict.fromkeys(notices))
