"""Stands for a device where there is none: its engine on the CPU, and captures that count and replay."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from headstart.engine.graphs import Body
from headstart.engine.kind import force_device_engine
from headstart.engine.member import Member, PackContext
from headstart.engine.optim.create import create_optimiser
from headstart.engine.runtime import StepNotes
from headstart.engine.train import train
from headstart.engine.weights import Weights
from headstart.events import OnEvent, ignore_events
from host_reads import ForbidHostReads
from tiny import make_tiny_weights


class CountingCapture:
    """Captures a body as what runs it under a watch that lets nothing read a number; `fails` refuses all.

    What is compiled cannot be watched so.
    """

    def __init__(self, *, fails: bool = False, watches: bool = True) -> None:
        self.count, self.replays, self.released, self._fails = 0, 0, 0, fails
        self._watch = ForbidHostReads if watches else nullcontext

    def __call__(self, body: Body) -> Body:
        """As `graphs.Capture`."""
        if self._fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.count += 1

        def replay() -> None:
            self.replays += 1
            with self._watch():
                body()

        return replay

    def release_memory(self) -> None:
        """As `graphs.Capture`."""
        self.released += 1


def make_device_weights(models: Sequence[Any]) -> Weights:
    """`make_tiny_weights` as they are on a device."""
    with force_device_engine():
        return make_tiny_weights(models)


def train_on_device(
    members: Sequence[Member],
    weights: Weights,
    context: PackContext,
    on_event: OnEvent = ignore_events,
    capture: CountingCapture | None = None,
    **settings: Any,
) -> StepNotes:
    """`train` by the device's engine on the CPU, losses read a few steps late as on a device."""
    with force_device_engine():
        optimiser = create_optimiser(weights, [member.run.training for member in members])
        settings = {"optimiser": optimiser, "read_every": 4, **settings}
        return train(members, weights, context, on_event, capture=capture, **settings)
