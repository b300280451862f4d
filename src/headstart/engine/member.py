"""A run while it trains: its examples, its progress, and its batches, which its seed alone decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, takewhile
from typing import Literal

import numpy as np
import torch

from headstart.config.metrics import LOWER_IS_BETTER
from headstart.config.runs import Run
from headstart.data.batches import compute_padded_length, count_loss_tokens, draw_epoch_batches
from headstart.data.corpus import Part
from headstart.data.tokenise import Tokens
from headstart.device import Precision
from headstart.engine.group import Group
from headstart.engine.objective import Objective
from headstart.engine.schedule import count_total_steps, learning_rate
from headstart.errors import TrainingError
from headstart.records import EpochPoint, Selection


@dataclass(frozen=True)
class TokenisedExamples:
    """One part of the data as the engine needs it: N tokenised examples and labels [N] or [N, C]."""

    tokens: Tokens
    labels: np.ndarray

    @cached_property
    def loss_terms(self) -> np.ndarray:
        """How many terms each example's loss is a sum of, [N]: 1, or its tokens that count in the loss."""
        return count_loss_tokens(self.tokens)


@dataclass(frozen=True)
class PackContext:
    """What all members of a pack share: task, data, device and number format.

    `curves` are the parts measured after each epoch besides valid; `packs_sequences` says that short examples
    of a member are packed into one row of the batch. `compiles` and `captures` are what the study allows of
    torch.compile and of CUDA graphs. `group` are the processes that train the pack's one run together.
    """

    task: Objective
    outputs: int
    pad_id: int
    metric: str
    curves: tuple[Part, ...]
    parts: dict[Part, TokenisedExamples]
    device: torch.device
    precision: Precision
    packs_sequences: bool = False
    compiles: Literal["auto", "on", "off"] = "auto"
    captures: Literal["auto", "off"] = "auto"
    group: Group | None = None

    @property
    def evaluated_parts(self) -> tuple[Part, ...]:
        """The parts that are measured after each epoch, each once: valid always."""
        parts: tuple[Part, ...] = ("valid", *self.curves)
        return tuple(dict.fromkeys(parts))


@dataclass(frozen=True)
class StepMark:
    """Where a member stands after a step: how many steps and forward passes, and the rate of that step."""

    steps: int
    micro_batches: int
    learning_rate: float


@dataclass
class Member:
    """A run while it trains, wherever its weights lie.

    `weights` [P] are those of its best epoch once it has ended well; `best_weights` hold them until then,
    unless the last epoch is the best one. `steps` and `micro_batches` count the steps made and their forward
    passes; `losses` are those of all steps that have been read from the device.
    """

    run: Run
    index: np.ndarray
    epochs: list[EpochPoint] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    best: EpochPoint | None = None
    best_weights: torch.Tensor | None = None
    weights: torch.Tensor | None = None
    error: TrainingError | None = None
    micro_batches: int = 0
    steps: int = 0
    seconds: float = 0.0

    @property
    def total_steps(self) -> int:
        """Steps that the run makes if nothing stops it."""
        return count_total_steps(self.run.training, len(self.index))

    @property
    def next_learning_rate(self) -> float:
        """The learning rate of the next step."""
        return learning_rate(self.run.training, self.steps, self.total_steps)

    def advance(self, micro_batches: int) -> StepMark:
        """Count a step that was made of so many forward passes; of none, the member had no part in it."""
        if not micro_batches:
            return StepMark(self.steps, self.micro_batches, 0.0)
        rate = self.next_learning_rate
        self.steps += 1
        self.micro_batches += micro_batches
        return StepMark(self.steps, self.micro_batches, rate)

    def rewind(self, mark: StepMark) -> None:
        """Forget the steps made since `mark`."""
        self.steps, self.micro_batches = mark.steps, mark.micro_batches

    @property
    def has_ended(self) -> bool:
        """Whether no step is left to it."""
        return self.error is not None or self.steps == self.total_steps or self._is_out_of_patience

    @property
    def _is_out_of_patience(self) -> bool:
        patience = self.run.training.patience
        if patience is None or self.best is None:
            return False
        return self.epochs[-1].epoch - self.best.epoch >= patience


@dataclass(frozen=True)
class StepBatches:
    """One member's batches of one step, as arrays of example indices, and whether an epoch ends with it."""

    epoch: int
    batches: list[np.ndarray]
    ends_epoch: bool


def describe_selection(metric: str) -> Selection:
    """The rule by which each run's epoch is chosen, in words."""
    extreme = "lowest" if metric in LOWER_IS_BETTER else "highest"
    return Selection(metric=metric, rule=f"epoch of the {extreme} valid {metric}, the earliest on ties")


def iter_step_batches(member: Member, context: PackContext) -> Iterator[StepBatches]:
    """The member's remaining steps, which depend on its seed and settings only.

    One that resumes may be within an epoch.
    """
    training, lengths = member.run.training, context.parts["train"].tokens.lengths[member.index]
    made, total, epoch = member.steps, member.total_steps, len(member.epochs)
    before = member.epochs[-1].step if member.epochs else 0  # steps before the epoch
    while before < total:
        epoch += 1
        order = draw_epoch_batches(lengths, training.batch_size, member.run.seed, epoch)
        steps = [order[i : i + training.accumulation] for i in range(0, len(order), training.accumulation)]
        for i, batches in enumerate(steps[: total - before], start=1):
            if before + i > made:
                ends_epoch = i == len(steps) or before + i == total
                yield StepBatches(epoch, [member.index[batch] for batch in batches], ends_epoch)
        before += len(steps)


def iter_longest_first(member: Member, context: PackContext) -> Iterator[StepBatches]:
    """The member's steps after the longest of its first epoch, which so comes twice."""
    first_epoch = takewhile(lambda turn: turn.epoch == 1, iter_step_batches(member, context))
    longest = max(first_epoch, key=lambda turn: count_padded_tokens(turn, context))
    return chain([longest], iter_step_batches(member, context))


def count_padded_tokens(turn: StepBatches, context: PackContext) -> int:
    """Tokens of one member's step, padding included: what its time grows with."""
    tokens = context.parts["train"].tokens
    return sum(len(index) * compute_padded_length(tokens, index) for index in turn.batches)
