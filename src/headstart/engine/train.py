"""Trains the members of a pack to the end: steps, an evaluation each epoch, and the best epoch kept.

Each member has its own data order, rate, clip, best epoch and fate: one whose loss is no longer finite
leaves the pack with an error, and the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from headstart.config.expand import Run
from headstart.config.metrics import LOWER_IS_BETTER, Task, better
from headstart.data.batches import epoch_order, pad
from headstart.data.corpus import Part
from headstart.data.tokenise import Tokens
from headstart.engine.device import Precision, weights_dtype
from headstart.engine.evaluate import evaluate
from headstart.engine.optimiser import adamw
from headstart.engine.schedule import learning_rate, total_steps
from headstart.engine.step import Rows, gradients, update
from headstart.errors import TrainingError
from headstart.records import EpochPoint, Scores, Selection


@dataclass(frozen=True)
class Texts:
    """One part of the data as the engine needs it: N tokenised texts and labels [N] or [N, C]."""

    tokens: Tokens
    labels: np.ndarray


@dataclass(frozen=True)
class Setting:
    """What all members of a pack share."""

    task: Task
    classes: int
    pad_id: int
    metric: str
    curves: tuple[Part, ...]
    parts: dict[Part, Texts]
    device: torch.device
    precision: Precision


class Listener(Protocol):
    """Is told of a run's progress while it trains."""

    def step(self, run: Run, step: int, total: int, loss: float, rate: float) -> None:
        """A step was made."""

    def epoch(self, run: Run, point: EpochPoint, best: EpochPoint) -> None:
        """An epoch ended; `best` is the one that the selection rule would choose so far."""


@dataclass
class Member:
    """A run while it trains: its model, which texts it learns from, and what it has reached."""

    run: Run
    model: torch.nn.Module
    index: np.ndarray
    optimiser: torch.optim.AdamW = field(init=False)
    points: list[EpochPoint] = field(default_factory=list)
    best: EpochPoint | None = None
    best_weights: dict[str, torch.Tensor] | None = None
    error: TrainingError | None = None
    passes: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        self.optimiser = adamw(self.model, self.run.training)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.total = total_steps(self.run.training, len(self.index))
        self.losses: list[float] = []


@dataclass(frozen=True)
class Turn:
    """One member's share of one step: its passes as text indices, and whether an epoch ends with it."""

    epoch: int
    passes: list[np.ndarray]
    ends_epoch: bool


def selection(metric: str) -> Selection:
    """The rule by which each run's epoch is chosen, in words."""
    extreme = "lowest" if metric in LOWER_IS_BETTER else "highest"
    return Selection(metric=metric, rule=f"epoch of the {extreme} valid {metric}, the earlier of equals")


def train(
    members: Sequence[Member],
    module: torch.nn.Module,
    setting: Setting,
    listener: Listener,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Train every member to its last step; afterwards each holds its points, and its best weights are loaded.

    `module` computes [R*B, T] -> logits [R*B, C] with the members' own weights: for one member, its model.
    A member that fails has `error` set, and no best epoch is claimed for it.
    """
    turns = [member_turns(member, setting) for member in members]
    started = clock()
    module.train()
    for shares in zip(*turns, strict=True):
        _one_step(members, module, shares, setting, listener)
        for member, turn in zip(members, shares, strict=True):
            if turn.ends_epoch and member.error is None:
                _close_epoch(member, turn.epoch, setting, listener, clock() - started)
        if all(member.error for member in members):
            return
    for member in members:
        _restore_best(member)


def member_turns(member: Member, setting: Setting) -> Iterator[Turn]:
    """The member's steps in order, as a function of its seed and settings alone."""
    training, lengths = member.run.training, setting.parts["train"].tokens.lengths[member.index]
    made, epoch = 0, 0
    while made < member.total:
        epoch += 1
        order = epoch_order(lengths, training.batch_size, member.run.seed, epoch)
        steps = [order[i : i + training.accumulation] for i in range(0, len(order), training.accumulation)]
        for i, passes in enumerate(steps[: member.total - made], start=1):
            last = i == len(steps) or made + i == member.total
            yield Turn(epoch, [member.index[batch] for batch in passes], last)
        made += len(steps)


def train_turns(member: Member, turns: Iterator[Turn], setting: Setting) -> Iterator[None]:
    """Make the given steps of one member, yielding after each; evaluates nothing and tells nobody."""
    member.model.train()
    for turn in turns:
        _one_step([member], member.model, [turn], setting, _Silence())
        yield


class _Silence:
    """A listener that wants to know nothing."""

    def step(self, run: Run, step: int, total: int, loss: float, rate: float) -> None:
        """Not told to anybody."""

    def epoch(self, run: Run, point: EpochPoint, best: EpochPoint) -> None:
        """Not told to anybody."""


def _one_step(
    members: Sequence[Member],
    module: torch.nn.Module,
    shares: Sequence[Turn],
    setting: Setting,
    listener: Listener,
) -> None:
    losses = gradients(
        module,
        _passes(shares, setting),
        [member.run.seed for member in members],
        first_pass=members[0].passes,
        task=setting.task,
        device=setting.device,
        precision=setting.precision,
    )
    for member, turn, loss in zip(members, shares, losses, strict=True):
        rate = learning_rate(member.run.training, member.steps, member.total)
        norm = update(member.optimiser, member.parameters, rate=rate, clip=member.run.training.clip)
        member.steps += 1
        member.passes += len(turn.passes)
        member.losses.append(float(loss))
        if not np.isfinite(norm) or not np.isfinite(loss):
            member.error = _diverged(member, float(loss), norm)
        listener.step(member.run, member.steps, member.total, float(loss), rate)


def _passes(shares: Sequence[Turn], setting: Setting) -> list[Rows]:
    """The members' passes side by side: the i-th passes of all make the i-th batch, grouped by member."""
    train, rows = setting.parts["train"], []
    for together in zip(*(turn.passes for turn in shares), strict=True):
        index = np.concatenate(together)
        weights = [
            np.full(len(own), 1 / sum(map(len, turn.passes)))
            for own, turn in zip(together, shares, strict=True)
        ]
        rows.append(Rows(pad(train.tokens, index, train.labels[index], setting.pad_id), np.stack(weights)))
    return rows


def _diverged(member: Member, loss: float, norm: float) -> TrainingError:
    return TrainingError(
        f"loss {loss:g} with a gradient of norm {norm:g} at step {member.steps} of {member.total}",
        where=f"run {member.run.key}",
        expected="finite numbers",
        fix="lower training.learning_rate, or lengthen training.warmup",
    )


def _close_epoch(member: Member, epoch: int, setting: Setting, listener: Listener, seconds: float) -> None:
    scores = {part: measure(member.model, part, setting) for part in ("valid", *setting.curves)}
    point = EpochPoint(
        epoch=epoch,
        step=member.steps,
        train_loss=float(np.mean(member.losses)),
        learning_rate=learning_rate(member.run.training, member.steps - 1, member.total),
        valid=scores["valid"],
        test=scores.get("test"),
        seconds=seconds,
    )
    member.losses.clear()
    member.points.append(point)
    old = member.best.valid[setting.metric] if member.best else None
    if member.best is None or better(setting.metric, point.valid[setting.metric], old):
        _keep(member, point)
    assert member.best is not None
    listener.epoch(member.run, point, member.best)


def measure(model: torch.nn.Module, part: Part, setting: Setting) -> Scores:
    """The metrics of `model` on one part."""
    texts = setting.parts[part]
    return evaluate(
        model,
        texts.tokens,
        texts.labels,
        task=setting.task,
        classes=setting.classes,
        pad_id=setting.pad_id,
        device=setting.device,
        precision=setting.precision,
    )


def _keep(member: Member, point: EpochPoint) -> None:
    """Remember this epoch's weights, in the memory of the last ones kept. The last epoch needs no copy."""
    member.best = point
    if member.steps == member.total:
        member.best_weights = None
        return
    now = member.model.state_dict()
    if member.best_weights is None:
        member.best_weights = {name: value.clone() for name, value in now.items()}
        return
    for name, value in now.items():
        member.best_weights[name].copy_(value)


def _restore_best(member: Member) -> None:
    if member.error is None and member.best_weights is not None:
        member.model.load_state_dict(member.best_weights)
    member.best_weights = None


def prepare_model(model: torch.nn.Module, setting: Setting) -> torch.nn.Module:
    """`model` on the setting's device, in the number format its weights are kept in."""
    return model.to(setting.device, weights_dtype(setting.precision))
