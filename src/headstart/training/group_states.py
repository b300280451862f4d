"""Saves and resumes the training states of a run that a group of processes trains.

A state is the one that a single process would write, put together by the first: so a study goes on with any
number of processes, or one. The first says when; all give their parts, and all resume from the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from headstart.engine.group import Group
from headstart.engine.member import Member, PackContext
from headstart.engine.optim.base import Moments, Optimiser
from headstart.engine.pack_rows import TrainingState
from headstart.engine.weights import Weights
from headstart.errors import TrainingError
from headstart.prepared import PreparedRun
from headstart.store.runs import RunStore
from headstart.training.resume import TrainingStateSaver


class GroupStateSaver(TrainingStateSaver):
    """As one process's, of whom the first writes."""

    def __init__(
        self,
        runs: Sequence[PreparedRun],
        weights: Weights,
        context: PackContext,
        store: RunStore,
        group: Group,
    ) -> None:
        super().__init__(runs, weights, context, store)
        self._weights, self._group = weights, group

    def _decide(self, now: float) -> bool:
        """As the first process's clock has it."""
        return self._group.take_word(self._is_due(now))

    def _write_turn(self, going: Sequence[Member], states: Iterator[TrainingState]) -> None:
        """Of members that go on, what each process gives; those that have ended have all theirs here."""
        whole = [self._collect(*state) for state in states]
        if self._group.leads:
            super()._write_turn(going, (state for state in whole if state is not None))

    def _collect(self, member: Member, row: torch.Tensor, moments: Moments) -> TrainingState | None:
        """The state that one process would have, in the first at least."""
        best = member.best_weights
        whole_best = None if best is None else self._weights.gather_row(best)
        weights, whole = self._weights.gather_row(row), self._weights.gather_moments(moments)
        if weights is None or whole is None:
            return None
        return replace(member, best_weights=whole_best), weights, whole

    def resume(self, members: Sequence[Member], weights: Weights, optimiser: Optimiser) -> list[Member]:
        """As one process; all must have read the same.

        Raises:
            TrainingError: they did not, for a folder that not all of them see.
        """
        resumed = super().resume(members, weights, optimiser)
        steps = self._group.gather([member.steps for member in members])
        if any(others != steps[0] for others in steps):
            raise TrainingError(
                f"its processes would go on from steps {', '.join(str(each[0]) for each in steps)}",
                where=f"run {members[0].run.key}",
                expected="one training state, in a folder that all of them see",
            )
        return resumed
