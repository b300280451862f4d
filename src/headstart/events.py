"""What happens to runs while they train, as six frozen events; whoever listens is one function of them.

What else is worth a sentence (data that are fetched, how packs are placed) goes to a `Log`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headstart.config.runs import Run
from headstart.records import Collapse, EpochPoint, RunRecord


@dataclass(frozen=True)
class PackWork:
    """A pack's runs, by their keys, and how much work its steps and evaluations are beside others'.

    `start` are the seconds expected until its first step.
    """

    runs: tuple[str, ...]
    amount: float
    start: float | None = None


@dataclass(frozen=True)
class PacksPlanned:
    """These packs are about to train in this order, `workers` at once, and `to_come` when tuning has chosen.

    `is_timed` says that amounts are seconds, from steps that were timed.
    """

    packs: tuple[PackWork, ...]
    to_come: tuple[PackWork, ...]
    workers: int
    is_timed: bool


@dataclass(frozen=True)
class RunStarted:
    """A run began, perhaps anew."""

    run: Run


@dataclass(frozen=True)
class StepDone:
    """A run made optimiser step `step` (1-based) of `total`, with the mean loss and the rate of that step."""

    run: Run
    step: int
    total: int
    loss: float
    learning_rate: float


@dataclass(frozen=True)
class StepMeasured:
    """What else is known of a run at a step, by tag: the speed of a pretraining, say."""

    run: Run
    step: int
    values: dict[str, float]


@dataclass(frozen=True)
class EpochDone:
    """A run ended an epoch; `best` is the one that the selection rule would choose so far."""

    run: Run
    epoch: EpochPoint
    best: EpochPoint


@dataclass(frozen=True)
class RunEnded:
    """A run is done or failed; `collapse` is how it collapsed, None where it did not or nothing is known."""

    record: RunRecord
    collapse: Collapse | None = None


Event = PacksPlanned | RunStarted | StepDone | StepMeasured | EpochDone | RunEnded
#: Takes every event; pipes, trackers, progress and a page's live view are such functions.
OnEvent = Callable[[Event], None]
#: Takes a sentence about what goes on.
Log = Callable[[str], None]


def ignore_events(event: Event) -> None:
    """Listen to nothing."""


def ignore_log(sentence: str) -> None:
    """Say nothing."""
