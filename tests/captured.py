"""Stands for a device where there is none: its engine on the CPU, and captures that count and replay bodies."""

from __future__ import annotations

from collections.abc import Sequence
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


class CountingCapture:
    """Captures a body as what runs it under a watch that lets nothing read a number; `fails` refuses all."""

    def __init__(self, fails: bool = False) -> None:
        self.count, self.replays, self._fails = 0, 0, fails

    def __call__(self, body: Body) -> Body:
        """As `graphs.Capture`."""
        if self._fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.count += 1

        def replay() -> None:
            self.replays += 1
            with ForbidHostReads():
                body()

        return replay


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
        settings = {"optimiser": optimiser, "read_every": 4} | settings
        return train(members, weights, context, on_event, capture=capture, **settings)
