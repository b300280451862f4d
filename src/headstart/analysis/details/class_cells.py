"""The class predictions of an arm's runs at one size, side by side: read once, for all that is made of them.

Shapes: S seeds, N test examples, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from headstart.analysis.measured_tests import ReadPredictions
from headstart.config.sizes import Size
from headstart.records import RunRecord
from headstart.stats.class_agreement import find_most_frequent
from headstart.store.class_probabilities import read_class_probabilities
from headstart.store.prediction_tables import Predictions


@dataclass(frozen=True, eq=False)
class ClassCell:
    """What the runs of an arm at one size predicted of the same N test examples.

    `ids` [N] are the examples', `y_true` [N] class numbers, `y_pred` [S, N] those predicted, and `confidence`
    [S, N] the probability of each. `common` [N] is the class that most seeds gave, the first of several, and
    `common_confidence` [N] its mean probability over seeds.
    """

    arm: str
    size: Size
    seeds: tuple[int, ...]
    names: tuple[str, ...]
    ids: np.ndarray
    y_true: np.ndarray
    y_pred: np.ndarray
    confidence: np.ndarray
    common: np.ndarray
    common_confidence: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether each prediction is right, [S, N]."""
        return np.asarray(self.y_pred == self.y_true)


@dataclass(frozen=True, eq=False)
class LabelCell:
    """What the runs of an arm at one size predicted of several labels: 0 or 1, `y_true` [N, C] and `y_pred`
    [S, N, C]."""

    arm: str
    size: Size
    names: tuple[str, ...]
    y_true: np.ndarray
    y_pred: np.ndarray


def read_class_cell(
    runs: Sequence[RunRecord], metric: str, read: ReadPredictions, get_folder: Callable[[str], Path]
) -> ClassCell | None:
    """Those of `runs`, of one arm and size; None where none is known, or they are of no single class.

    A run that was tested on other examples than the first is left out.

    Raises:
        DamagedFileError: predictions cannot be read.
    """
    known = _read_alike(runs, metric, read, "classes")
    if not known:
        return None
    first = known[0][1]
    y_pred = np.stack([predictions.y_pred for _, predictions in known])
    common = find_most_frequent(y_pred, first.classes)
    confidence, of_common = np.empty(y_pred.shape), np.zeros(len(common))
    rows = np.arange(len(common))
    for i, (run, _) in enumerate(known):  # one run's probabilities at a time: there are N times C
        told = read_class_probabilities(get_folder(run.key), first.names)
        confidence[i] = told.probabilities[rows, y_pred[i]]
        of_common += told.probabilities[rows, common] / len(known)
    return ClassCell(
        arm=runs[0].arm,
        size=runs[0].size,
        seeds=tuple(run.seed for run, _ in known),
        names=first.names,
        ids=told.ids,
        y_true=first.y_true,
        y_pred=y_pred,
        confidence=confidence,
        common=common,
        common_confidence=of_common,
    )


def read_label_cell(runs: Sequence[RunRecord], metric: str, read: ReadPredictions) -> LabelCell | None:
    """Those of `runs`, of one arm and size; None where none is known, or they are of no several labels.

    Raises:
        DamagedFileError: predictions cannot be read.
    """
    known = _read_alike(runs, metric, read, "labels")
    if not known:
        return None
    first = known[0][1]
    y_pred = np.stack([predictions.y_pred for _, predictions in known])
    return LabelCell(runs[0].arm, runs[0].size, first.names, first.y_true, y_pred)


def _read_alike(
    runs: Sequence[RunRecord], metric: str, read: ReadPredictions, kind: Literal["classes", "labels"]
) -> list[tuple[RunRecord, Predictions]]:
    """The runs that were tested on the same examples as the first, with what they predicted."""
    known = [(run, predictions) for run in runs if (predictions := read(run.key, metric)) is not None]
    known = [(run, one) for run, one in known if one.kind == kind and len(one.y_true)]
    return [(run, one) for run, one in known if one.digest == known[0][1].digest]
