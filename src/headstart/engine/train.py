"""Trains the members of a pack to the end: steps, an evaluation each epoch, and the best epoch kept.

Each member has its own data order, rate, clip, best epoch and fate: one that has ended leaves the pack with
its weights and moments, and one whose loss is no longer finite leaves it with an error; the others go on.
Where memory runs out, the pack goes on in halves from the very step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Protocol

import numpy as np
import torch

from headstart.config.expand import Run
from headstart.data.batches import Batch, pad, pad_shared, padded_length, shared_rows
from headstart.data.corpus import Part
from headstart.engine.dropout import Draw
from headstart.engine.evaluate import evaluate
from headstart.engine.member import Member, Setting, Turn, improves, member_turns, turns_with_longest
from headstart.engine.memory import is_out_of_memory
from headstart.engine.optimiser import adamw, rebind
from headstart.engine.schedule import learning_rate
from headstart.engine.step import Pass, gradients, update
from headstart.engine.weights import Weights
from headstart.errors import TrainingError
from headstart.records import EpochPoint, Scores


class Listener(Protocol):
    """Is told of a run's progress while it trains."""

    def step(self, run: Run, step: int, total: int, loss: float, rate: float) -> None:
        """A step was made."""

    def epoch(self, run: Run, point: EpochPoint, best: EpochPoint) -> None:
        """An epoch ended; `best` is the one that the selection rule would choose so far."""

    def state(self, member: Member, weights: torch.Tensor, optimiser: torch.optim.Optimizer) -> None:
        """An epoch ended and the run goes on from here: `weights` [P] and moments may be copied away."""


def train(
    members: Sequence[Member],
    weights: Weights,
    setting: Setting,
    listener: Listener,
    *,
    optimisers: Sequence[torch.optim.Optimizer] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Train every member to its last step; afterwards each holds its points and its best epoch's weights.

    A member that fails has `error` set, and no weights are claimed for it.

    Args:
        weights: the members' own, in their order, for a plain model of one or a stack of R.
        optimisers: of members that go on from a checkpoint; new ones by default.
    """
    turns = [member_turns(member, setting) for member in members]
    optimisers = optimisers or fresh_optimisers(members, weights)
    packs = [_Pack(list(members), weights, turns, list(optimisers), setting, listener, clock)]
    while packs:
        packs = packs.pop().go_on() + packs


def fresh_optimisers(members: Sequence[Member], weights: Weights) -> list[torch.optim.Optimizer]:
    """An optimiser for each member, before its first step."""
    return [adamw(weights.leaves(r), member.run.training) for r, member in enumerate(members)]


def single_steps(
    members: Sequence[Member], weights: Weights, setting: Setting, *, longest_first: bool = False
) -> Iterator[None]:
    """Make the members' steps until the first ends, yielding after each; evaluate nothing, tell nobody.

    Args:
        longest_first: begin with the longest step of the first epoch, which then comes twice.

    Raises:
        MemoryError: there is not enough for one.
    """
    order = turns_with_longest if longest_first else member_turns
    turns = [order(member, setting) for member in members]
    optimisers = fresh_optimisers(members, weights)
    pack = _Pack(list(members), weights, turns, optimisers, setting, _Silence(), time.perf_counter)
    weights.module.train()
    for shares in zip(*turns, strict=False):
        if not pack.step(shares):
            raise MemoryError("no memory for a step of these members")
        yield


class _Silence:
    """A listener that wants to know nothing."""

    def step(self, run: Run, step: int, total: int, loss: float, rate: float) -> None:
        """Not told to anybody."""

    def epoch(self, run: Run, point: EpochPoint, best: EpochPoint) -> None:
        """Not told to anybody."""

    def state(self, member: Member, weights: torch.Tensor, optimiser: torch.optim.Optimizer) -> None:
        """Not told to anybody."""


class _Pack:
    """Members that train at once, the i-th with row i of the weights, turn i and optimiser i."""

    def __init__(
        self,
        members: list[Member],
        weights: Weights,
        turns: list[Iterator[Turn]],
        optimisers: list[torch.optim.Optimizer],
        setting: Setting,
        listener: Listener,
        clock: Callable[[], float],
    ) -> None:
        self.members, self._weights, self._turns, self._optimisers = members, weights, turns, optimisers
        self._setting, self._listener, self._clock = setting, listener, clock

    def go_on(self) -> list[_Pack]:
        """Train to the end; or, where memory runs out, to there, and give the halves that are to go on."""
        began = self._clock()
        before = {id(member): member.seconds for member in self.members}
        self._weights.point()
        self._weights.module.train()
        while self.members:
            shares = [next(turns) for turns in self._turns]
            if not self.step(shares):
                return self._halves(shares)
            for member in self.members:
                member.seconds = before[id(member)] + self._clock() - began
            self._close_epochs(shares)
            self._release()
        return []

    def step(self, shares: Sequence[Turn]) -> bool:
        """Make one step; False, with no weight changed, where memory does not hold it."""
        setting = self._setting
        try:
            losses = gradients(
                self._weights.module,
                _passes(self.members, shares, setting),
                task=setting.task,
                device=setting.device,
                precision=setting.precision,
            )
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        for member, turn, loss, optimiser in zip(self.members, shares, losses, self._optimisers, strict=True):
            self._update(member, turn, float(loss), optimiser)
        self._weights.forget_gradients()
        return True

    def _update(self, member: Member, turn: Turn, loss: float, optimiser: torch.optim.Optimizer) -> None:
        rate = member.rate
        norm = update(optimiser, rate=rate, clip=member.run.training.clip)
        member.steps += 1
        member.passes += len(turn.passes)
        member.losses.append(loss)
        if not np.isfinite(norm) or not np.isfinite(loss):
            member.error = _diverged(member, loss, norm)
        self._listener.step(member.run, member.steps, member.total, loss, rate)

    def _close_epochs(self, shares: Sequence[Turn]) -> None:
        """Measure the members whose epoch ends here, all at once."""
        rows = [r for r, turn in enumerate(shares) if turn.ends_epoch and not self.members[r].error]
        if not rows:
            return
        scores = {part: self._measure(rows, part) for part in self._setting.measured}
        for i, r in enumerate(rows):
            own = {part: found[i] for part, found in scores.items()}
            self._close_epoch(r, shares[r].epoch, own)

    def _measure(self, rows: list[int], part: Part) -> list[Scores]:
        if len(rows) == len(self.members):
            return measure(self._weights.module, part, self._setting)
        self._weights.part(rows).point()
        try:
            return measure(self._weights.module, part, self._setting)
        finally:
            self._weights.point()

    def _close_epoch(self, r: int, epoch: int, scores: dict[Part, Scores]) -> None:
        member = self.members[r]
        point = EpochPoint(
            epoch=epoch,
            step=member.steps,
            train_loss=float(np.mean(member.losses[member.points[-1].step if member.points else 0 :])),
            learning_rate=learning_rate(member.run.training, member.steps - 1, member.total),
            valid=scores["valid"],
            test=scores.get("test"),
            seconds=member.seconds,
        )
        member.points.append(point)
        if improves(point, member.best, self._setting.metric):
            _keep(member, point, self._weights.values[r])
        assert member.best is not None
        self._listener.epoch(member.run, point, member.best)
        if not member.has_ended:
            self._listener.state(member, self._weights.values[r], self._optimisers[r])

    def _release(self) -> None:
        """Let members that have ended leave, with the weights of their best epoch."""
        staying = [r for r, member in enumerate(self.members) if not member.has_ended]
        if len(staying) == len(self.members):
            return
        for r, member in enumerate(self.members):
            if member.has_ended and member.error is None:
                last = self._weights.values[r]
                member.weights = last.clone() if member.best_weights is None else member.best_weights
            if member.has_ended:
                member.best_weights = None
        if staying:
            self._weights.take(staying)
        self._choose(staying)

    def _choose(self, rows: Sequence[int]) -> None:
        """Go on with these members: the weights have been taken already."""
        self.members = [self.members[r] for r in rows]
        self._turns = [self._turns[r] for r in rows]
        self._optimisers = [self._optimisers[r] for r in rows]
        for r, optimiser in enumerate(self._optimisers):
            rebind(optimiser, self._weights.leaves(r))

    def _halves(self, shares: Sequence[Turn]) -> list[_Pack]:
        """Two packs that begin with the step that memory did not hold; a single member fails."""
        turns: list[Iterator[Turn]] = [
            chain([share], rest) for share, rest in zip(shares, self._turns, strict=True)
        ]
        count = len(self.members)
        if count == 1:
            self.members[0].error = _too_large(self.members[0])
            return []
        parts = [self._half(rows, turns) for rows in (range(count // 2), range(count // 2, count))]
        self._weights.let_go()
        return parts

    def _half(self, rows: Sequence[int], turns: list[Iterator[Turn]]) -> _Pack:
        weights, optimisers = self._weights.part(rows), self._optimisers
        half = _Pack(self.members, weights, turns, optimisers, self._setting, self._listener, self._clock)
        half._choose(rows)
        return half


def _passes(members: Sequence[Member], shares: Sequence[Turn], setting: Setting) -> list[Pass]:
    """The members' passes side by side: the i-th passes of all make the i-th batch, grouped by member."""
    count = max(len(turn.passes) for turn in shares)
    return [_pass(members, shares, i, setting) for i in range(count)]


def _pass(members: Sequence[Member], shares: Sequence[Turn], i: int, setting: Setting) -> Pass:
    """The i-th batch. A member with fewer texts than others repeats some, which weigh nothing."""
    train = setting.parts["train"]
    own = [turn.passes[i] if i < len(turn.passes) else turn.passes[0][:0] for turn in shares]
    counts, batch = (_rows_shared if setting.shares_rows else _rows_apart)(own, shares, setting)
    weights = np.zeros((len(members), max(counts)))
    for r, turn in enumerate(shares):
        targets = sum(int(train.targets[passed].sum()) for passed in turn.passes)
        weights[r, : counts[r]] = 1 / max(1, targets)
    draws = tuple(
        Draw(m.run.seed, m.passes + i, count, padded_length(train.tokens, o))
        for m, count, o in zip(members, counts, own, strict=True)
    )
    return Pass(batch, weights, draws)


def _rows_apart(
    own: Sequence[np.ndarray], shares: Sequence[Turn], setting: Setting
) -> tuple[list[int], Batch]:
    """A row for each of the members' `own` texts: how many rows are each member's, and the batch."""
    train, counts = setting.parts["train"], list(map(len, own))
    filled = [np.resize(o if len(o) else t.passes[0], max(counts)) for o, t in zip(own, shares, strict=True)]
    index = np.concatenate(filled)
    return counts, pad(train.tokens, index, train.labels[index], setting.pad_id)


def _rows_shared(
    own: Sequence[np.ndarray], shares: Sequence[Turn], setting: Setting
) -> tuple[list[int], Batch]:
    """As `_rows_apart`, with short texts of a member in one row."""
    tokens = setting.parts["train"].tokens
    widths = [padded_length(tokens, index) for index in own]
    rows = [shared_rows(tokens.lengths, o, width) for o, width in zip(own, widths, strict=True)]
    counts = list(map(len, rows))
    spare = [[turn.passes[0][:1]] * (max(counts) - count) for turn, count in zip(shares, counts, strict=True)]
    filled = [row for mine, more in zip(rows, spare, strict=True) for row in (*mine, *more)]
    width = max([*widths, *(padded_length(tokens, row) for more in spare for row in more)])
    return counts, pad_shared(tokens, filled, width, setting.pad_id)


def _diverged(member: Member, loss: float, norm: float) -> TrainingError:
    return TrainingError(
        f"loss {loss:g} with a gradient of norm {norm:g} at step {member.steps} of {member.total}",
        where=f"run {member.run.key}",
        expected="finite numbers",
        fix="lower training.learning_rate, or lengthen training.warmup",
    )


def _too_large(member: Member) -> TrainingError:
    return TrainingError(
        f"memory ran out at step {member.steps + 1} of {member.total}",
        where=f"run {member.run.key}",
        fix="lower training.batch_size (and raise training.accumulation), or training.max_length",
    )


def measure(module: torch.nn.Module, part: Part, setting: Setting) -> list[Scores]:
    """The metrics of each member of `module` on one part."""
    texts = setting.parts[part]
    return evaluate(
        module,
        texts.tokens,
        texts.labels,
        task=setting.task,
        outputs=setting.classes,
        pad_id=setting.pad_id,
        device=setting.device,
        precision=setting.precision,
    )


def _keep(member: Member, point: EpochPoint, weights: torch.Tensor) -> None:
    """Remember this epoch's weights, in the memory of the last ones kept. The last epoch needs no copy."""
    member.best = point
    if member.steps == member.total:
        member.best_weights = None
    elif member.best_weights is None:
        member.best_weights = weights.clone()
    else:
        member.best_weights.copy_(weights)
