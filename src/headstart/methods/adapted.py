"""Pretrains a checkpoint on a study's training examples, once a seed, and keeps its weights in the folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import MODEL_FOR_MASKED_LM_MAPPING, AutoModelForCausalLM, AutoModelForMaskedLM

from headstart.config.adapt_section import Adapt
from headstart.config.pretraining import Masking, PretrainingSettings, PretrainingSteps, PretrainingTask
from headstart.config.runs import Run
from headstart.config.study import Study
from headstart.config.traits import get_task_traits
from headstart.data.conversations import list_contents
from headstart.data.corpus import Corpus, Part
from headstart.data.text_corpus import HeldOut, TextCorpus, TextList
from headstart.data.texts import make_text_key
from headstart.data.token_blocks import TokenBlocks, build_token_blocks
from headstart.errors import DataError, ModelError
from headstart.events import Log
from headstart.files import hash_file, write_folder_atomically
from headstart.models.checkpoints import Checkpoint
from headstart.models.initialise import initialise_model
from headstart.models.library import load_network, silence_logs
from headstart.prepared import PreparedRun
from headstart.pretraining.run import forget_state, pretrain_model
from headstart.records import StudyWarning
from headstart.seeds import derive_seed
from headstart.store.adapted import RECORD
from headstart.store.layout import StudyLayout
from headstart.wording import format_count, format_names, join_names

_WEIGHTS: Final = "model.safetensors"
#: Version of what is kept, and a part of its identity.
_FORMAT: Final = "adapted-1"
#: Share of the different texts that measure the language model and do not train it.
_HELD_OUT: Final = 0.05
#: Parts of which no text is ever pretrained on.
_UNSEEN: Final[tuple[Part, ...]] = ("valid", "test")
_LIBRARIES: Final[dict[PretrainingTask, Any]] = {
    "masked-lm": AutoModelForMaskedLM,
    "causal-lm": AutoModelForCausalLM,
}


@dataclass(frozen=True)
class AdaptationTexts:
    """The unlabelled texts: all training examples, and those of `adapt.text`; one side of a division."""

    training: TextList
    more: TextCorpus | None
    unseen: frozenset[bytes]
    held_out: HeldOut | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all texts and of the side."""
        parts = (self.training.digest, self.more.digest if self.more else "", str(self.held_out))
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    def iterate(self) -> Iterator[str]:
        """The texts.

        Raises:
            DataError: a text of `adapt.text` is one of valid or test.
        """
        for text in self._iterate_all():
            if self.held_out is None or self.held_out.holds(text):
                yield text

    def check_unchanged(self) -> None:
        """See that the files of `adapt.text` are those whose digest was taken."""
        if self.more:
            self.more.check_unchanged()

    def _iterate_all(self) -> Iterator[str]:
        yield from self.training.iterate()
        for number, text in enumerate(self.more.iterate() if self.more else (), 1):
            if _make_key(text) in self.unseen:
                raise DataError(
                    f"document {number:,} is an example of valid or test: {text[:60]!r}",
                    where="adapt.text",
                    expected="texts that neither part has",
                    fix="take the texts of valid and test out of the files",
                )
            yield text


def _make_key(text: str) -> bytes:
    return hashlib.sha256(make_text_key(text).encode()).digest()


def collect_texts(study: Study, corpus: Corpus) -> AdaptationTexts:
    """All training texts, whatever the size of a run: no label of them is read."""
    generates = get_task_traits(study.task).generates

    def read(part: Part) -> Iterator[str]:
        texts = corpus.parts[part].texts
        return ("\n".join(list_contents(text, generates=generates)) for text in texts)

    unseen: frozenset[bytes] = frozenset()
    more = TextCorpus(tuple(map(Path, study.adapt.text))) if study.adapt.text else None
    if more:
        unseen = frozenset(_make_key(text) for part in _UNSEEN for text in read(part))
    return AdaptationTexts(TextList(list(read("train"))), more, unseen)


def choose_task(checkpoint: Checkpoint) -> PretrainingTask:
    """Masked-language modelling where the family has it, unless the study's task is causal."""
    is_masked = type(checkpoint.config) in MODEL_FOR_MASKED_LM_MAPPING and not checkpoint.is_causal
    return "masked-lm" if is_masked else "causal-lm"


def check_adaptable(run: Run, checkpoint: Checkpoint) -> None:
    """See that the run's checkpoint can be pretrained further, where it is to be.

    Raises:
        ModelError: its tokenizer is not a fast one, or has no mask token.
    """
    if not run.adapted:
        return
    if not checkpoint.tokenizer.is_fast:
        raise ModelError(
            f"its tokenizer ({type(checkpoint.tokenizer).__name__}) is written in Python: {checkpoint.name}",
            where=f"arms.{run.arm}.init",
            expected="a checkpoint with a fast tokenizer (tokenizer.json)",
        )
    if choose_task(checkpoint) == "masked-lm" and checkpoint.tokenizer.mask_token_id is None:
        raise ModelError(
            f"the tokenizer of {checkpoint.name} has no mask token, which masked-language modelling needs",
            where=f"arms.{run.arm}.init",
            expected="a checkpoint whose tokenizer has one",
        )


def prepare_adapted(runs: Iterable[PreparedRun], log: Log) -> None:
    """Have the adapted weights of all runs that start from them in the study's folder."""
    for folder, prepared in find_unadapted(runs).items():
        _adapt(prepared, folder, log)


def find_unadapted(runs: Iterable[PreparedRun]) -> dict[Path, PreparedRun]:
    """A run for each adaptation that is to be made, by the folder of its weights."""
    wanting = {locate_adapted(prepared): prepared for prepared in runs if prepared.run.adapted}
    return {folder: prepared for folder, prepared in wanting.items() if not _is_whole(folder, prepared)}


def describe_adaptation(runs: Iterable[Run], study: Study, corpus: Corpus) -> Iterator[StudyWarning]:
    """That arms which are adapted read all training examples, for a plan and the results."""
    adapted = [run for run in runs if run.adapted]
    if not adapted:
        return
    arms, seeds = (dict.fromkeys(getattr(run, key) for run in adapted) for key in ("arm", "seed"))
    examples = format_count(len(corpus.parts["train"]), "training example")
    more = f" and the texts of {format_names(study.adapt.text)}" if study.adapt.text else ""
    sizes = "" if study.sizes == ("all",) else "; sizes count labels, not texts"
    yield StudyWarning(
        kind="adapted",
        message=f"{join_names(list(arms))}: first pretrained on all {examples}{more}, without labels, for "
        f"{study.adapt.length}, once a seed "
        f"({format_count(len(seeds), 'seed')}){sizes}",
    )


def locate_adapted(prepared: PreparedRun) -> Path:
    """The folder of the run's adapted weights: one for a checkpoint and a seed."""
    name = hashlib.sha256(prepared.run.checkpoint.encode()).hexdigest()[:8]
    return StudyLayout(Path(prepared.study.study.out)).adapted_folder / f"seed-{prepared.run.seed}-{name}"


def build_adapted_model(prepared: PreparedRun) -> nn.Module:
    """The pretrained arm's model of the same seed, with the body that was adapted.

    Raises:
        ModelError: the adapted weights are damaged, or not there.
    """
    folder = locate_adapted(prepared)
    if not _is_whole(folder, prepared):
        raise ModelError(
            "the adapted weights are not there, or damaged", where=str(folder), fix="run the study again"
        )
    model = initialise_model(prepared.checkpoint, pretrained=True, seed=prepared.run.seed)
    body: Any = model if prepared.checkpoint.is_causal else model.base_model
    values = load_file(folder / _WEIGHTS)
    with torch.no_grad():
        for name, parameter in body.named_parameters():
            if name in values:
                parameter.copy_(values[name])
    return model


def _identify(prepared: PreparedRun) -> str:
    """The digest of all that the adapted weights are a function of, but for rounding."""
    study = prepared.study.study
    parts = (
        _FORMAT,
        prepared.checkpoint.digest,
        prepared.study.corpus.digest,
        # Without what is not set: weights of before `steps` was a key are the same.
        study.adapt.model_dump_json(exclude_none=True),
        *(TextCorpus((Path(path),)).digest for path in study.adapt.text),
        str(prepared.run.seed),
    )
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _is_whole(folder: Path, prepared: PreparedRun) -> bool:
    """Whether the folder has the run's adapted weights, by their digests."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return bool(
            record["identity"] == _identify(prepared) and record["sha256"] == hash_file(folder / _WEIGHTS)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _adapt(prepared: PreparedRun, folder: Path, log: Log) -> None:
    """Pretrain, from the state of a call that was interrupted where there is one, and keep the weights."""
    checkpoint, seed = prepared.checkpoint, prepared.run.seed
    settings = make_settings(prepared)
    train, valid = build_blocks(prepared, settings.training.block)
    examples = format_count(len(prepared.study.corpus.parts["train"]), "training example")
    log(
        f"adapting {checkpoint.name} to {examples}, seed {seed}: {settings.task}, "
        f"{prepared.study.study.adapt.length}, of {train.n_tokens:,} tokens an epoch"
    )
    model = load_language_model(checkpoint, settings.task, seed)
    state = folder.with_name(f".{folder.name}-state")
    record = pretrain_model(
        settings,
        model=model,
        tokenizer=checkpoint.tokenizer,
        blocks=train,
        valid=valid,
        folder=state,
        name=f"adapted, seed {seed}",
    )
    if folder.exists():
        _set_aside(folder)
    with write_folder_atomically(folder) as target:
        body: Any = model if checkpoint.is_causal else model.base_model
        values = {name: value.detach().contiguous() for name, value in body.named_parameters()}
        save_file(values, target / _WEIGHTS, metadata={"format": "pt"})
        kept = {"identity": _identify(prepared), "sha256": hash_file(target / _WEIGHTS)}
        text = json.dumps(kept | {"record": record.model_dump(mode="json")}, indent=1)
        (target / RECORD).write_text(text + "\n", encoding="utf-8")
    forget_state(state)
    with suppress(OSError):
        state.rmdir()
    log(
        f"adapted {checkpoint.name}, seed {seed}: loss {record.valid_loss:.3f} on training examples "
        f"held out, in {record.seconds:,.0f} s"
    )


def _set_aside(folder: Path) -> None:
    """Move damaged or other weights out of the way: what somebody may want is not deleted."""
    number = 1
    while (other := folder.with_name(f"{folder.name}-old-{number}")).exists():
        number += 1
    folder.rename(other)


def make_settings(prepared: PreparedRun) -> PretrainingSettings:
    """How the run's checkpoint is adapted."""
    adapt, checkpoint = prepared.study.study.adapt, prepared.checkpoint
    precision = prepared.precision
    return PretrainingSettings(
        task=choose_task(checkpoint),
        masking=Masking(share=adapt.mask_share),
        training=PretrainingSteps(
            block=min(adapt.block, checkpoint.max_length),
            batch_size=adapt.batch_size,
            **_get_length(adapt),
            learning_rate=adapt.learning_rate,
            precision="bf16" if precision == "bf16" else "fp32",
        ),
        seed=prepared.run.seed,
        device=prepared.study.study.device,
        trackers=(),
    )


def _get_length(adapt: Adapt) -> dict[str, Any]:
    """Epochs or steps, whichever is in force."""
    return {"epochs": adapt.epochs} if adapt.steps is None else {"steps": adapt.steps}


def build_blocks(prepared: PreparedRun, block: int) -> tuple[TokenBlocks, TokenBlocks]:
    """What trains, and what measures: a part of the training texts; all of them where that fills no block."""
    texts = collect_texts(prepared.study.study, prepared.study.corpus)
    build = partial(build_token_blocks, tokenizer=prepared.checkpoint.tokenizer, block=block)
    sides = [
        AdaptationTexts(texts.training, texts.more, texts.unseen, HeldOut(_HELD_OUT, 0, side))
        for side in ("train", "valid")
    ]
    try:
        return build(sides[0]), build(sides[1])
    except DataError as error:
        if error.where == "adapt.text":
            raise
    whole = build(texts)
    return whole, whole


def load_language_model(checkpoint: Checkpoint, task: PretrainingTask, seed: int) -> Any:
    """The checkpoint as a language model; a head that it lacks is drawn by the seed."""
    with silence_logs(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "head", "language model", bits=64) >> 1)
        return load_network(
            _LIBRARIES[task], checkpoint.location, config=checkpoint.config, dtype=torch.float32
        )
