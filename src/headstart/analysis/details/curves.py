"""Curves of training: what each run scored by epoch, what was best so far, and its training loss."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.config.study import Size


@dataclass(frozen=True)
class LossCurve:
    """The training loss of a run by optimiser step, thinned to at most 200 points: `steps` and `losses` [K].

    Of a run whose steps were tracked nowhere each epoch is a point, its mean loss at its last step.
    """

    steps: tuple[int, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class RunCurve:
    """What one run scored by one metric after each of its E epochs: all [E].

    `best_valid` and `best_test` are the scores at the epoch that the selection rule would have chosen so far,
    the test never choosing; `test` and `best_test` are None where the test was not scored at each epoch.
    `best_epoch` is the one that was chosen.
    """

    arm: str
    size: Size
    seed: int
    epochs: tuple[int, ...]
    valid: tuple[float, ...]
    test: tuple[float, ...] | None
    best_valid: tuple[float, ...]
    best_test: tuple[float, ...] | None
    best_epoch: int | None
    loss: LossCurve


@dataclass(frozen=True)
class ArmCurve:
    """The means over an arm's seeds of `best_valid` and `best_test` [E], at epochs that all its runs have."""

    arm: str
    size: Size
    epochs: tuple[int, ...]
    best_valid: tuple[float, ...]
    best_test: tuple[float, ...] | None


@dataclass(frozen=True)
class Curves:
    """The curves of the runs by which arms are judged, by one metric."""

    metric: str
    runs: tuple[RunCurve, ...]
    arms: tuple[ArmCurve, ...]
