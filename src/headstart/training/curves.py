"""Hands what the engine tells of runs on to their trackers, and to whoever listens."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.config.best_epoch import is_better_epoch
from headstart.engine.member import Member
from headstart.engine.schedule import learning_rate
from headstart.events import EpochDone, Event, OnEvent, StepDone
from headstart.records import EpochPoint
from headstart.trackers.registry import PackTrackers


@dataclass(frozen=True)
class Curves:
    """The curves of a pack's runs."""

    trackers: PackTrackers
    listener: OnEvent

    def on_event(self, event: Event) -> None:
        """Draw a step or an epoch."""
        if isinstance(event, StepDone | EpochDone):
            self.trackers[event.run.key].on_event(event)
        self.listener(event)

    def repeat(self, member: Member, metric: str) -> None:
        """Draw again what the run had drawn when its state was saved, and tell its epochs."""
        run, trackers = member.run, self.trackers[member.run.key]
        for step, loss in enumerate(member.losses, start=1):
            rate = learning_rate(run.training, step - 1, member.total_steps)
            trackers.on_event(StepDone(run, step, member.total_steps, loss, rate))
        best: EpochPoint | None = None
        for epoch in member.epochs:
            best = epoch if is_better_epoch(epoch, best, metric) else best
            assert best is not None
            self.on_event(EpochDone(run, epoch, best))
