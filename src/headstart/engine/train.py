"""Trains the members of a pack to the end: steps, an evaluation each epoch, and the best epoch kept.

Each member has its own data order, rate, clip, best epoch and end: one that has ended leaves the pack with
its weights and moments, and one whose loss is no longer finite leaves it with an error; the others continue.
Where memory runs out, the pack continues in halves from the very step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain, repeat

import numpy as np
import torch

from headstart.config.best_epoch import is_better_epoch
from headstart.data.corpus import Part
from headstart.engine.compiling import Compiler, compile_module
from headstart.engine.device_evaluation import DeviceForward
from headstart.engine.evaluate import evaluate_members, require_scores
from headstart.engine.graphs import Capture
from headstart.engine.kind import uses_device_engine
from headstart.engine.member import (
    Member,
    PackContext,
    StepBatches,
    StepMark,
    iter_longest_first,
    iter_step_batches,
)
from headstart.engine.memory import is_out_of_memory
from headstart.engine.optim.base import Moments, Optimiser
from headstart.engine.optim.create import create_optimiser
from headstart.engine.runtime import Runtime, StepNotes, open_runtime
from headstart.engine.schedule import learning_rate
from headstart.engine.step_ring import StepOutcome, StepRing, choose_read_interval
from headstart.engine.weights import Weights
from headstart.errors import TrainingError
from headstart.events import EpochDone, OnEvent, StepDone, ignore_events
from headstart.interrupts import Deferred, defer_interrupts
from headstart.records import EpochPoint, Scores

#: A member that still trains, its weights [P] and its moments.
TrainingState = tuple[Member, torch.Tensor, Moments]
#: Called where an epoch of some member ends: with all that go on, and their states, made when asked for.
SaveTrainingStates = Callable[[Sequence[Member], Iterator[TrainingState]], None]


def train(
    members: Sequence[Member],
    weights: Weights,
    context: PackContext,
    on_event: OnEvent,
    save_states: SaveTrainingStates | None = None,
    *,
    save_interrupted: SaveTrainingStates | None = None,
    optimiser: Optimiser | None = None,
    read_every: int | None = None,
    capture: Capture | None = None,
    compiler: Compiler = compile_module,
    clock: Callable[[], float] = time.perf_counter,
) -> StepNotes:
    """Train every member to its last step; afterwards each holds its points and its best epoch's weights.

    A member that fails has `error` set and no `weights`. Gives how the steps were made on a device.

    Raises:
        Interrupted: a signal came, and `save_interrupted` is given.

    Args:
        weights: the members', in their order, for a plain model of one or a stack of R.
        on_event: is told of each step (`StepDone`) and epoch (`EpochDone`), a run's steps in order.
        save_states: may copy the states away, to resume from.
        save_interrupted: copies them away when a signal is to end this process, after the step under way.
        optimiser: of members that resume; a new one by default.
        read_every: steps after which losses are read, by default what suits the device. Nothing but the time
            at which events come depends on it.
        capture, compiler: of steps on a device, by default CUDA's and torch's own.
    """
    read_every = read_every or choose_read_interval(context.device)
    optimiser = optimiser or create_optimiser(weights, [member.run.training for member in members])
    streams = [iter_step_batches(member, context) for member in members]
    with (
        defer_interrupts() if save_interrupted else nullcontext(Deferred()) as deferred,
        open_runtime(context, capture, compiler) as runtime,
    ):
        shared = _Shared(
            context, runtime, on_event, save_states, read_every, clock, save_interrupted, deferred
        )
        trainers = [PackTrainer(list(members), weights, optimiser, streams, shared)]
        while trainers:
            # A pack that ends leaves nothing, one that memory does not hold leaves those that take its place.
            smaller = trainers.pop().run()
            if smaller:
                runtime.release_memory()
            trainers = smaller + trainers
    return runtime.notes


def iter_training_steps(
    members: Sequence[Member],
    weights: Weights,
    context: PackContext,
    *,
    longest_first: bool = False,
    read_every: int = 1,
) -> Generator[StepNotes, None, None]:
    """Make the members' steps until the first ends, yielding after each how they are made; evaluate nothing,
    tell nobody.

    Args:
        longest_first: begin with the longest step of the first epoch, which then comes twice.
        read_every: steps after which losses are read. After each, who times the steps finds them done; after
            some, the host runs ahead as in `train`, and who times them has to wait for the device.

    Raises:
        MemoryError: there is not enough for a step.
    """
    order = iter_longest_first if longest_first else iter_step_batches
    streams = [order(member, context) for member in members]
    optimiser = create_optimiser(weights, [member.run.training for member in members])
    with open_runtime(context) as runtime:
        shared = _Shared(context, runtime, ignore_events, None, read_every, time.perf_counter)
        trainer = PackTrainer(list(members), weights, optimiser, streams, shared)
        trainer.start()
        for step_batches in zip(*streams, strict=False):
            if not trainer.step(step_batches):
                raise MemoryError("out of memory for one step of these runs")
            if read_every == 1:  # at once: an early read would leave them on their way
                trainer.read_steps()
            else:
                trainer.read_full()
            yield runtime.notes


@dataclass(frozen=True)
class _Shared:
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
    """Members that train at once: the i-th has row i of the weights and of the optimiser, and stream i."""

    def __init__(
        self,
        members: list[Member],
        weights: Weights,
        optimiser: Optimiser,
        streams: list[Iterator[StepBatches]],
        shared: _Shared,
    ) -> None:
        self._members, self._weights, self._optimiser = members, weights, optimiser
        self._streams, self._shared, self._context = streams, shared, shared.context
        self._unread = StepRing(shared.read_every, lags=uses_device_engine(shared.context.device))
        #: Members that have ended and stay, for taking them out would cost more.
        self._idle: set[int] = set()
        self._timed_until = 0.0
        self._open_steps()

    def _open_steps(self) -> None:
        """Make steps of these members, from buffers that fit them."""
        self._steps = self._shared.runtime.open_steps(self._members, self._weights, self._optimiser)

    def run(self) -> list[PackTrainer]:
        """Train to the end; or, where memory runs out, to there, and give the packs that continue."""
        self.start()
        self._release_ended()  # who resumes from its end has no step left
        while len(self._idle) < len(self._members):
            step_batches = [next(stream) for stream in self._streams]
            if not self.step(step_batches):
                return self._split(step_batches)
            # Read before an epoch closes, so that whoever diverged on the way is known and not evaluated.
            if any(batches.ends_epoch for batches in step_batches):
                self.read_steps()
                self._close_epochs(step_batches)
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
        self._weights.bind()
        self._weights.module.train()
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
        batches = zip(self._members, step_batches, strict=True)
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
            for r, (member, (loss, norm, mark)) in enumerate(zip(self._members, numbers, strict=True)):
                # Steps that a member made after it had diverged, before anybody knew, are none.
                if r not in self._idle and member.error is None:
                    self._record_step(member, mark, loss, norm)
        self._count_time()

    def _record_step(self, member: Member, mark: StepMark, loss: float, norm: float) -> None:
        member.losses.append(loss)
        if not np.isfinite(loss) or not np.isfinite(norm):
            member.rewind(mark)
            member.error = _make_divergence_error(member, loss, norm)
        self._shared.on_event(StepDone(member.run, mark.steps, member.total_steps, loss, mark.learning_rate))

    def _count_time(self) -> None:
        """Every member takes all of the time: seconds are those that a run waits, not its share of them."""
        now = self._shared.clock()
        for member in self._select(self._list_active()):
            member.seconds += now - self._timed_until
        self._timed_until = now

    def _close_epochs(self, step_batches: Sequence[StepBatches]) -> None:
        """Evaluate the members whose epoch ends here, all at once; who gives no numbers has failed."""
        rows = [r for r, m in enumerate(self._members) if step_batches[r].ends_epoch and not m.error]
        if not rows:
            return
        scores = {part: self._evaluate(rows, part) for part in self._list_evaluated(rows)}
        for i, r in enumerate(rows):
            try:
                found = {part: require_scores(of_all[i]) for part, of_all in scores.items()}
            except TrainingError as error:
                self._members[r].error = _name_run(error, self._members[r])
            else:
                self._close_epoch(r, step_batches[r].epoch, found)

    def _list_evaluated(self, rows: list[int]) -> list[Part]:
        """The parts to measure: not the test where all of these only tune, for nobody is to look at it."""
        are_tested = not all(member.run.for_tuning for member in self._select(rows))
        return [part for part in self._context.evaluated_parts if part != "test" or are_tested]

    def _evaluate(self, rows: list[int], part: Part) -> list[Scores | TrainingError]:
        """The metrics of the members at `rows`, in this order."""
        if len(rows) == len(self._members) or self._idle:  # with idle members, it is cheaper than a copy
            forward = self._steps.find_forward(part)
            scores = evaluate_part(self._weights.module, part, self._context, forward)
            return [scores[r] for r in rows]
        # A stack computes all its members or none: those whose epoch goes on are left out of a copy.
        self._weights.copy_members(rows, trains=False).bind()
        try:
            forward = self._steps.find_forward(part, again=False)
            return evaluate_part(self._weights.module, part, self._context, forward)
        finally:
            self._weights.bind()

    def _close_epoch(self, r: int, epoch: int, scores: dict[Part, Scores]) -> None:
        member, weights = self._members[r], self._weights.values[r]
        epoch_point = _make_epoch_point(member, epoch, scores)
        member.epochs.append(epoch_point)
        if is_better_epoch(epoch_point, member.best, self._context.metric):
            _keep_best(member, epoch_point, weights)
        assert member.best is not None
        self._shared.on_event(EpochDone(member.run, epoch_point, member.best))

    def _save_states(self, save_states: SaveTrainingStates | None) -> None:
        """Offer the states of those that still train, all as of this step."""
        if save_states is not None:
            going = [(r, self._members[r]) for r in self._list_active()]
            values, export = self._weights.values, self._optimiser.export_moments
            states = ((member, values[r], export(r)) for r, member in going)
            save_states([member for _, member in going], states)

    def _release_ended(self) -> None:
        """Let go of the members that have ended; each keeps the weights of its best epoch."""
        if any(self._members[r].has_ended for r in self._list_active()):
            self.read_steps()  # those under way are of the members as they are now
        ended = [r for r in self._list_active() if self._members[r].has_ended]
        for r in ended:
            _take_best(self._members[r], self._weights.values[r])
            self._streams[r] = repeat(StepBatches(epoch=0, batches=[], ends_epoch=False))
        self._idle.update(ended)
        if ended and not self._steps.keep_ended(len(self._idle), self._count_steps_left()):
            self._remove_idle()

    def _list_active(self) -> list[int]:
        """The places of the members that still train."""
        return [r for r in range(len(self._members)) if r not in self._idle]

    def _count_steps_left(self) -> int:
        """Steps until the last member ends, if nothing stops it."""
        active = self._select(self._list_active())
        return max((member.total_steps - member.steps for member in active), default=0)

    def _remove_idle(self) -> None:
        """Take the members that have ended out of weights and moments."""
        staying = self._list_active()
        self._members, self._idle = self._select(staying), set()
        self._streams = [self._streams[r] for r in staying]
        if staying:
            self._weights.select(staying)
            self._optimiser = self._optimiser.select(staying, self._weights)
            self._open_steps()

    def _select(self, rows: Sequence[int]) -> list[Member]:
        return [self._members[r] for r in rows]

    def _split(self, step_batches: Sequence[StepBatches]) -> list[PackTrainer]:
        """The packs that begin with the step that memory did not hold; a single member fails."""
        again = zip(step_batches, self._streams, strict=True)
        self._streams = [chain([batches], stream) for batches, stream in again]
        self.read_steps()
        if any(member.has_ended for member in self._members):
            # Who diverged in a step not read so far makes room by leaving: without it the step may do.
            self._release_ended()
            self._remove_idle()
            return [self]
        count = len(self._members)
        if count == 1:
            self._members[0].error = _make_memory_error(self._members[0])
            return []
        halves = [self._copy_half(rows) for rows in (range(count // 2), range(count // 2, count))]
        self._weights.free()
        return halves

    def _copy_half(self, rows: Sequence[int]) -> PackTrainer:
        weights = self._weights.copy_members(rows)
        optimiser = self._optimiser.select(rows, weights)
        members, streams = self._select(rows), [self._streams[r] for r in rows]
        return PackTrainer(members, weights, optimiser, streams, self._shared)


def evaluate_part(
    module: torch.nn.Module, part: Part, context: PackContext, forward: DeviceForward | None = None
) -> list[Scores | TrainingError]:
    """The metrics of each member of `module` on one part; errors and `forward` as `evaluate_members`."""
    examples = context.parts[part]
    return evaluate_members(
        module,
        examples.tokens,
        examples.labels,
        task=context.task,
        outputs=context.outputs,
        pad_id=context.pad_id,
        device=context.device,
        precision=context.precision,
        forward=forward,
    )


def _make_epoch_point(member: Member, epoch: int, scores: dict[Part, Scores]) -> EpochPoint:
    first_step = member.epochs[-1].step if member.epochs else 0
    return EpochPoint(
        epoch=epoch,
        step=member.steps,
        train_loss=float(np.mean(member.losses[first_step:])),
        learning_rate=learning_rate(member.run.training, member.steps - 1, member.total_steps),
        valid=scores["valid"],
        test=None if member.run.for_tuning else scores.get("test"),
        seconds=member.seconds,
    )


def _keep_best(member: Member, epoch: EpochPoint, weights: torch.Tensor) -> None:
    """Store this epoch's weights, reusing the memory of the previous best. The last epoch needs no copy."""
    member.best = epoch
    if member.steps == member.total_steps:
        member.best_weights = None
    elif member.best_weights is None:
        member.best_weights = weights.clone()
    else:
        member.best_weights.copy_(weights)


def _take_best(member: Member, last: torch.Tensor) -> None:
    """Give a member that has ended the weights of its best epoch: `last` where no others are kept."""
    if member.error is None:
        member.weights = last.clone() if member.best_weights is None else member.best_weights
    member.best_weights = None


def _name_run(error: TrainingError, member: Member) -> TrainingError:
    """The error, with the run and the step at which it was met."""
    where = f"run {member.run.key}, after step {member.steps} of {member.total_steps}"
    return TrainingError(error.got, where=where, expected=error.expected, fix=error.fix)


def _make_divergence_error(member: Member, loss: float, norm: float) -> TrainingError:
    return TrainingError(
        f"loss {loss:g} with a gradient of norm {norm:g} at step {member.steps} of {member.total_steps}",
        where=f"run {member.run.key}",
        expected="finite numbers",
        fix="lower training.learning_rate, or lengthen training.warmup",
    )


def _make_memory_error(member: Member) -> TrainingError:
    return TrainingError(
        f"out of memory at step {member.steps + 1} of {member.total_steps}",
        where=f"run {member.run.key}",
        fix="lower training.batch_size (and raise training.accumulation), or training.max_length",
    )
