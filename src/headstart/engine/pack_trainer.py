"""Trains one pack: makes its steps, reads their losses late, and lets go of the members that have ended.

One that has ended leaves with its weights and moments, one whose loss is no longer finite with an error; the
others continue. Where memory runs out, the pack ends and gives those that continue from the very step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from headstart.engine.epochs import close_epochs, take_best
from headstart.engine.kind import uses_device_engine
from headstart.engine.member import Member, PackContext, StepBatches, StepMark
from headstart.engine.memory import is_out_of_memory
from headstart.engine.pack_rows import PackRows, TrainingState
from headstart.engine.runtime import Runtime
from headstart.engine.step_ring import StepOutcome, StepRing
from headstart.engine.training_errors import make_divergence_error, make_memory_error
from headstart.events import OnEvent, StepDone
from headstart.interrupts import Deferred

#: Called where an epoch of some member ends: with all that go on, and their states, made when asked for.
SaveTrainingStates = Callable[[Sequence[Member], Iterator[TrainingState]], None]


@dataclass(frozen=True)
class Shared:
    """What stays the same in whatever packs the members train."""

    context: PackContext
    runtime: Runtime
    on_event: OnEvent
    save_states: SaveTrainingStates | None
    read_every: int
    clock: Callable[[], float]
    save_interrupted: SaveTrainingStates | None = None
    deferred: Deferred = field(default_factory=Deferred)


class PackTrainer:
    """Makes the steps of a pack, reads their losses, and lets go of who has ended."""

    def __init__(self, pack: PackRows, shared: Shared) -> None:
        self._pack, self._shared, self._context = pack, shared, shared.context
        self._unread = StepRing(shared.read_every, lags=uses_device_engine(shared.context.device))
        self._timed_until = 0.0
        self._open_steps()

    def _open_steps(self) -> None:
        """Make steps of these members, from buffers that fit them."""
        pack = self._pack
        self._steps = self._shared.runtime.open_steps(pack.members, pack.weights, pack.optimiser)

    def run(self) -> list[PackTrainer]:
        """Train to the end; or, where memory runs out, to there, and give the packs that continue."""
        self.start()
        self._release_ended()  # who resumes from its end has no step left
        while self._pack.list_active():
            step_batches = self._pack.draw_step()
            if not self.step(step_batches):
                return self._split(step_batches)
            # Read before an epoch closes, so that whoever diverged on the way is known and not evaluated.
            if any(batches.ends_epoch for batches in step_batches):
                self.read_steps()
                close_epochs(self._pack, step_batches, self._steps, self._context, self._shared.on_event)
                self._release_ended()
                self._save_states(self._shared.save_states)
            elif self.read_full():
                self._release_ended()
            if self._shared.deferred.seen is not None:
                self._end_early()
        return []

    def _end_early(self) -> None:
        """Have states of this step, for whoever resumes, and end."""
        self.read_steps()
        self._release_ended()
        self._save_states(self._shared.save_interrupted)
        self._shared.deferred.raise_seen()

    def start(self) -> None:
        """Have the module train these members; their time counts from here."""
        self._pack.weights.bind()
        self._pack.weights.module.train()
        self._timed_until = self._shared.clock()

    def step(self, step_batches: Sequence[StepBatches]) -> bool:
        """Make one step; False, with no weight changed, where memory does not hold it."""
        try:
            self._steps.accumulate(step_batches)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False  # and not on from here: the error holds on to all that the step has made
        numbers = self._steps.update()
        batches = zip(self._pack.members, step_batches, strict=True)
        marks = [member.advance(len(of_member.batches)) for member, of_member in batches]
        self._unread.push(numbers, marks)
        return True

    def read_steps(self) -> None:
        """Take the losses of all steps since the last time: record them, tell them, find who diverged."""
        self._record_steps(self._unread.read())

    def read_full(self) -> bool:
        """Take the losses of steps that are most likely done, if so many are unread; tell whether."""
        is_full = self._unread.is_full
        if is_full:
            self._record_steps(self._unread.read_early())
        return is_full

    def _record_steps(self, outcomes: Sequence[StepOutcome]) -> None:
        for outcome in outcomes:
            numbers = zip(outcome.losses.tolist(), outcome.norms.tolist(), outcome.marks, strict=True)
            for r, (member, (loss, norm, mark)) in enumerate(zip(self._pack.members, numbers, strict=True)):
                # Steps that a member made after it had diverged, before anybody knew, are none.
                if r not in self._pack.idle and member.error is None:
                    self._record_step(member, mark, loss, norm)
        self._count_time()

    def _record_step(self, member: Member, mark: StepMark, loss: float, norm: float) -> None:
        member.losses.append(loss)
        if not np.isfinite(loss) or not np.isfinite(norm):
            member.rewind(mark)
            member.error = make_divergence_error(member, loss, norm)
        self._shared.on_event(StepDone(member.run, mark.steps, member.total_steps, loss, mark.learning_rate))

    def _count_time(self) -> None:
        """Every member takes all of the time: seconds are those that a run waits, not its share of them."""
        now = self._shared.clock()
        for member in self._pack.select(self._pack.list_active()):
            member.seconds += now - self._timed_until
        self._timed_until = now

    def _save_states(self, save_states: SaveTrainingStates | None) -> None:
        """Offer the states of those that still train, all as of this step."""
        if save_states is not None:
            going = self._pack.select(self._pack.list_active())
            save_states(going, self._pack.iter_states())

    def _release_ended(self) -> None:
        """Let go of the members that have ended; each keeps the weights of its best epoch."""
        pack = self._pack
        if pack.list_ended():
            self.read_steps()  # those under way are of the members as they are now
        ended = pack.list_ended()
        for r in ended:
            take_best(pack.members[r], pack.weights.get_row(r))
        pack.leave_idle(ended)
        if ended and not self._steps.keep_ended(len(pack.idle), pack.count_steps_left()):
            self._remove_idle()

    def _remove_idle(self) -> None:
        self._pack.remove_idle()
        if self._pack.members:
            self._open_steps()

    def _split(self, step_batches: Sequence[StepBatches]) -> list[PackTrainer]:
        """The packs that begin with the step that memory did not hold; a single member fails."""
        pack = self._pack
        pack.repeat_step(step_batches)
        self.read_steps()
        if any(member.has_ended for member in pack.members):
            # Who diverged in a step not read so far makes room by leaving: without it the step may do.
            self._release_ended()
            self._remove_idle()
            return [self]
        if len(pack) == 1:
            pack.members[0].error = make_memory_error(pack.members[0])
            return []
        halves = [PackTrainer(half, self._shared) for half in pack.halve()]
        pack.weights.free()
        return halves
