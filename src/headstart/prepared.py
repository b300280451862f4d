"""A study made ready: what all runs share, and each run with all that it needs. Makes nothing ready itself.

Nothing here looks a run's things up in two places: whoever trains, plans or saves takes a `PreparedRun`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from headstart.config.runs import Run
from headstart.config.study import Study
from headstart.config.traits import MethodTraits, TaskTraits, get_method_traits, get_task_traits
from headstart.data.conversation_statistics import PromptLengths
from headstart.data.corpus import Corpus, Part
from headstart.data.tokenise import Tokens
from headstart.data.training_texts import draw_training_texts
from headstart.device import Precision
from headstart.models.checkpoints import Checkpoint
from headstart.records import CheckpointDigest, StudyWarning

#: A checkpoint's name and a token limit: what tokens depend on.
TokensKey = tuple[str, int]


@dataclass(frozen=True)
class PreparedStudy:
    """Everything but the runs: picklable, and small where tokens lie in the cache.

    `tokens` is keyed by (checkpoint, token limit), and so is `used_ids`: the ids in use, ascending, or
    None where the whole table trains. `missing_keys` are the names of the weights that a checkpoint lacks.
    `prompts` are the lengths of what each checkpoint is asked, where the task has answers, and
    `prompt_formats` says how.
    `precision` is what runs that leave it open compute in: decided once, so that all processes agree.
    """

    study: Study
    corpus: Corpus
    checkpoints: dict[str, Checkpoint]
    tokens: dict[TokensKey, dict[Part, Tokens]]
    used_ids: dict[TokensKey, np.ndarray | None]
    warnings: tuple[StudyWarning, ...]
    missing_keys: dict[str, frozenset[str]] = field(default_factory=dict)
    prompts: dict[str, PromptLengths] = field(default_factory=dict)
    precision: Precision = "fp32"
    commit: str | None = None
    prompt_formats: tuple[str, ...] = ()

    @property
    def task(self) -> TaskTraits:
        """What is known of the study's task."""
        return get_task_traits(self.study.task)

    @property
    def shares_rows(self) -> bool:
        """Whether short examples of a batch share a row."""
        return self.study.prompts.packing and self.task.generates

    @property
    def sources(self) -> tuple[CheckpointDigest, ...]:
        """What tells the study's checkpoints from others."""
        return tuple(checkpoint.source for checkpoint in self.checkpoints.values())

    def select(self, run: Run) -> PreparedRun:
        """The run with all that it needs of the study."""
        return PreparedRun(run, self)


@dataclass(frozen=True)
class PreparedRun:
    """A run with all that it needs."""

    run: Run
    study: PreparedStudy

    @property
    def method(self) -> MethodTraits:
        """What is known of its method."""
        return get_method_traits(self.run.method)

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint whose architecture, and unless random whose weights, it starts from."""
        return self.study.checkpoints[self.run.checkpoint]

    @property
    def source(self) -> CheckpointDigest | None:
        """What tells its checkpoint from others; None for a method that starts from none."""
        return self.checkpoint.source if self.method.has_checkpoint else None

    @property
    def precision(self) -> Precision:
        """The number format of its products."""
        setting = self.run.training.precision
        return self.study.precision if setting == "auto" else setting

    @property
    def max_length(self) -> int:
        """Most tokens of an example."""
        return self.checkpoint.resolve_max_length(self.run.training.max_length, self.run.virtual_tokens)

    @property
    def tokens(self) -> dict[Part, Tokens]:
        """The tokens that it trains on and is measured with."""
        return self.study.tokens[self.tokens_key]

    @property
    def used_ids(self) -> np.ndarray | None:
        """The ids whose embedding rows it trains, [U] ascending; None for all, or where it trains none."""
        return None if self.method.freezes_base else self.study.used_ids[self.tokens_key]

    @property
    def missing_keys(self) -> frozenset[str]:
        """The names of the weights that its checkpoint lacks, where its method asks."""
        return self.study.missing_keys.get(self.run.checkpoint, frozenset())

    @cached_property
    def train_index(self) -> np.ndarray:
        """The training examples that it learns from, by their place in the corpus; as its seed says.

        One that was drawn twice stands there twice.
        """
        train = self.study.corpus.parts["train"]
        return draw_training_texts(train, self.run.size, self.run.seed, self.study.study.data)

    @property
    def train_count(self) -> int:
        """How many training examples an epoch has."""
        if self.run.size != "all":
            return self.run.size
        is_fixed = self.study.study.data.training_texts == "fixed"
        return len(self.study.corpus.parts["train"]) if is_fixed else len(self.train_index)

    @property
    def distinct_count(self) -> int:
        """How many different training examples it learns from."""
        is_bootstrap = self.study.study.data.training_texts == "bootstrap"
        return len(np.unique(self.train_index)) if is_bootstrap else self.train_count

    @property
    def tokens_key(self) -> TokensKey:
        """What its tokens depend on."""
        return self.run.checkpoint, self.max_length

    def __reduce__(self) -> tuple[Any, ...]:
        return PreparedRun, (self.run, self.study)  # without what is cached
