"""Steps of one run that a group of processes makes together, each of its own rows: gradients are summed."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.data.corpus import Part
from headstart.engine.group import Group
from headstart.engine.group_rows import share_rows
from headstart.engine.host_steps import HostSteps
from headstart.engine.member import Member, PackContext, StepBatches
from headstart.engine.memory import is_out_of_memory
from headstart.engine.micro_batches import build_micro_batches
from headstart.engine.optim.base import Optimiser
from headstart.engine.step import MicroBatch, accumulate_gradients
from headstart.engine.training_errors import make_memory_error
from headstart.engine.weights import Weights


class GroupSteps(HostSteps):
    """`Steps` of one member, whose gradient is that of the whole batch in each process of the group."""

    def __init__(
        self,
        members: Sequence[Member],
        weights: Weights,
        optimiser: Optimiser,
        context: PackContext,
        group: Group,
    ) -> None:
        super().__init__(members, weights, optimiser, context)
        self._group = group

    def accumulate(self, step_batches: Sequence[StepBatches]) -> None:
        """As `Steps`, but that memory which one process lacks ends the run: the others are in this step.

        Raises:
            TrainingError: memory does not hold it.
        """
        whole = build_micro_batches(self._members, step_batches, self._context)
        try:
            self._accumulate([share_rows(micro_batch, self._group) for micro_batch in whole])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise make_memory_error(self._members[0]) from error

    def _accumulate(self, micro_batches: Sequence[MicroBatch]) -> None:
        context = self._context
        losses = accumulate_gradients(
            self._weights.module,
            micro_batches,
            task=context.task,
            device=context.device,
            precision=context.precision,
        )
        self._losses = self._group.add_up(losses)
        self._weights.add_up_gradients(self._group.add_up)

    def find_forward(self, part: Part, *, again: bool = True) -> None:
        """None: evaluation shares its batches out by itself."""
