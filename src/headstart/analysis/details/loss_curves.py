"""The training loss of a run by step, read from what its tracker wrote and thinned for a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from headstart.analysis.details.curves import LossCurve
from headstart.records import RunRecord
from headstart.store.event_scalars import read_scalars

#: Of a curve: more cannot be told apart in a figure of a column's width.
_MOST_POINTS: Final = 200
#: What `trackers.tensorboard` calls the training loss of a step.
LOSS_TAG: Final = "train/loss"


def find_loss_curve(run: RunRecord, folder: Path) -> LossCurve:
    """The training loss of a run whose TensorBoard files lie there."""
    by_step = read_scalars(folder).get(LOSS_TAG, {})
    if not by_step:
        return LossCurve(tuple(one.step for one in run.epochs), tuple(one.train_loss for one in run.epochs))
    return thin_losses(np.array(list(by_step)), np.array(list(by_step.values())))


def thin_losses(steps: np.ndarray, losses: np.ndarray) -> LossCurve:
    """The mean losses of at most 200 windows of consecutive steps, each at the last of its steps [K]."""
    windows = np.array_split(np.arange(len(steps)), min(len(steps), _MOST_POINTS))
    means = (float(np.mean(losses[window])) for window in windows)
    return LossCurve(tuple(int(steps[window[-1]]) for window in windows), tuple(means))
