"""Details of invented studies for figures: curves, grids, sizes, confusion and costs, without a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from headstart.analysis.details.classes import Calibration, CalibrationBin, Confusion
from headstart.analysis.details.costs import ArmCosts, Costs
from headstart.analysis.details.curves import ArmCurve, Curves, LossCurve, RunCurve
from headstart.analysis.details.origins import Origins
from headstart.analysis.details.study_details import StudyDetails
from headstart.analysis.findings import Findings
from headstart.analysis.results import Results
from headstart.config.sizes import Size

ORIGINS = Origins((), (), (), (), (), (), (), (), None, "", ())


def build_details(findings: Findings, **parts: Any) -> StudyDetails:
    """Details of `findings`, with nothing beyond them but `parts`."""
    empty: dict[str, Any] = dict.fromkeys(
        ("curves", "confusions", "class_scores", "calibrations", "agreements", "wrong", "differ"), ()
    )
    more: dict[str, Any] = {"results": Results(findings, Path("out")), "costs": Costs((), 0.0, ())}
    return StudyDetails(**(empty | more | {"origins": ORIGINS} | parts))


def build_curves(
    arms: list[str], seeds: int = 3, epochs: int = 20, size: Size = "all", metric: str = "accuracy"
) -> Curves:
    """Rising curves: arm `i`, seed `s` ends `0.02 i` higher than the first, and `0.01 s`."""
    steps = np.arange(1, epochs + 1)
    runs = [_build_run(arm, i, seed, steps, size) for i, arm in enumerate(arms) for seed in range(seeds)]
    means = [_average([run for run in runs if run.arm == arm]) for arm in arms]
    return Curves(metric, tuple(runs), tuple(means))


def _build_run(arm: str, place: int, seed: int, steps: np.ndarray, size: Size) -> RunCurve:
    scores = tuple((0.9 - 0.4 / (steps + 1) - 0.1 + 0.02 * place + 0.01 * seed).tolist())
    test = tuple(score - 0.03 for score in scores)
    at = tuple(range(0, 200, 5))
    loss = LossCurve(at, tuple(2.0 / (1 + step / 40) + 0.05 * seed + 0.1 * place for step in at))
    epochs = tuple(steps.tolist())
    return RunCurve(arm, size, seed, epochs, scores, test, scores, test, epochs[-1], loss)


def _average(runs: list[RunCurve]) -> ArmCurve:
    valid = np.mean([run.best_valid for run in runs], axis=0).tolist()
    test = np.mean([run.best_test or () for run in runs], axis=0).tolist()
    return ArmCurve(runs[0].arm, runs[0].size, runs[0].epochs, tuple(valid), tuple(test))


def build_confusion(arm: str, n_classes: int, names: tuple[str, ...] = ()) -> Confusion:
    """Mostly right, and wrong by a known pattern."""
    i, j = np.indices((n_classes, n_classes))
    counts = np.where(i == j, 90, np.where(np.abs(i - j) == 1, 5 + i, 0))
    return Confusion(arm, "all", 3, names or tuple(f"class {k}" for k in range(n_classes)), counts)


def build_calibration(arm: str, off: float = 0.1) -> Calibration:
    """Too confident by `off` in each of ten bins."""
    bins = (
        CalibrationBin(k / 10, (k + 1) / 10, 10 + k, k / 10 + 0.05, max(0, k / 10 + 0.05 - off))
        for k in range(10)
    )
    return Calibration(arm, "all", tuple(bins), off)


def build_costs(arms: list[str], size: Size = "all") -> Costs:
    """Each arm twice as slow as the one before."""
    each = (
        ArmCosts(arm, size, 3, 0, 10.0 * 2**i, 30.0 * 2**i, 0.0, None, None, None, None)
        for i, arm in enumerate(arms)
    )
    return Costs(tuple(each), 100.0, ("cpu",))
