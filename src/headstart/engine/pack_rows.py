"""Members that train at once, each a row of weights, moments and batches; rows are taken out or copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

import torch

from headstart.engine.member import Member, StepBatches
from headstart.engine.optim.base import Moments, Optimiser
from headstart.engine.weights import Weights

#: A member that still trains, its weights [P] and its moments.
TrainingState = tuple[Member, torch.Tensor, Moments]


@dataclass
class PackRows:
    """The i-th member has row i of the weights and of the optimiser, and stream i.

    `idle` are those that have ended and stay, for taking them out would cost more.
    """

    members: list[Member]
    weights: Weights
    optimiser: Optimiser
    streams: list[Iterator[StepBatches]]
    idle: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.members)

    def list_active(self) -> list[int]:
        """The places of the members that still train."""
        return [r for r in range(len(self.members)) if r not in self.idle]

    def list_ended(self) -> list[int]:
        """Those of them that have no step left."""
        return [r for r in self.list_active() if self.members[r].has_ended]

    def select(self, rows: Sequence[int]) -> list[Member]:
        """The members at `rows`."""
        return [self.members[r] for r in rows]

    def count_steps_left(self) -> int:
        """Steps until the last member ends, if nothing stops it."""
        active = self.select(self.list_active())
        return max((member.total_steps - member.steps for member in active), default=0)

    def draw_step(self) -> list[StepBatches]:
        """Each member's batches of the next step."""
        return [next(stream) for stream in self.streams]

    def repeat_step(self, step_batches: Sequence[StepBatches]) -> None:
        """Have the next step be made of these, which were drawn already."""
        again = zip(step_batches, self.streams, strict=True)
        self.streams = [chain([batches], stream) for batches, stream in again]

    def leave_idle(self, rows: Sequence[int]) -> None:
        """Draw nothing for these members any more."""
        for r in rows:
            self.streams[r] = repeat(StepBatches(epoch=0, batches=[], ends_epoch=False))
        self.idle.update(rows)

    def remove_idle(self) -> None:
        """Take the members that have ended out of weights and moments."""
        staying = self.list_active()
        self.members, self.idle = self.select(staying), set()
        self.streams = [self.streams[r] for r in staying]
        if staying:
            self.weights.select(staying)
            self.optimiser = self.optimiser.select(staying, self.weights)

    def iter_states(self) -> Iterator[TrainingState]:
        """The states of those that still train, each made when it is asked for."""
        going = [(r, self.members[r]) for r in self.list_active()]
        get_row, export = self.weights.get_row, self.optimiser.export_moments
        return ((member, get_row(r), export(r)) for r, member in going)

    def halve(self) -> list[PackRows]:
        """Two packs of half the members each, in memory of their own."""
        count = len(self.members)
        return [self._copy_rows(rows) for rows in (range(count // 2), range(count // 2, count))]

    def _copy_rows(self, rows: Sequence[int]) -> PackRows:
        weights = self.weights.copy_members(rows)
        optimiser = self.optimiser.select(rows, weights)
        return PackRows(self.select(rows), weights, optimiser, [self.streams[r] for r in rows])
