"""Trains the members of a pack to the end, in smaller packs where memory runs out; or steps of them alone.

Each member has its own data order, rate, clip, best epoch and end: one that has ended leaves the pack with
its weights and moments, and one whose loss is no longer finite leaves it with an error; the others continue.
Where memory runs out, the pack continues in halves from the very step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import nullcontext

from headstart.engine.compiling import Compiler, compile_module
from headstart.engine.graphs import Capture
from headstart.engine.member import Member, PackContext, iter_longest_first, iter_step_batches
from headstart.engine.optim.base import Optimiser
from headstart.engine.optim.create import create_optimiser
from headstart.engine.pack_rows import PackRows
from headstart.engine.pack_trainer import PackTrainer, SaveTrainingStates, Shared
from headstart.engine.runtime import StepNotes, open_runtime
from headstart.engine.step_ring import choose_read_interval
from headstart.engine.weights import Weights
from headstart.events import OnEvent, ignore_events
from headstart.interrupts import Deferred, defer_interrupts


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
        shared = Shared(
            context, runtime, on_event, save_states, read_every, clock, save_interrupted, deferred
        )
        trainers = [PackTrainer(PackRows(list(members), weights, optimiser, streams), shared)]
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
        shared = Shared(context, runtime, ignore_events, None, read_every, time.perf_counter)
        trainer = PackTrainer(PackRows(list(members), weights, optimiser, streams), shared)
        trainer.start()
        for step_batches in zip(*streams, strict=False):
            if not trainer.step(step_batches):
                raise MemoryError("out of memory for one step of these runs")
            if read_every == 1:  # at once: an early read would leave them on their way
                trainer.read_steps()
            else:
                trainer.read_full()
            yield runtime.notes
