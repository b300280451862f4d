"""Files of predictions as tests write them: of labels and outputs in windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart.config.traits import LabelKind
from headstart.store.prediction_writer import open_predictions
from headstart.store.predictions import PREDICTIONS_FILE
from headstart.tasks.columns import make_columns

#: Ids, true labels, and outputs of a window.
Window = tuple[Sequence[int], Any, Any]


def write(folder: Path, kind: LabelKind, names: Sequence[str], *windows: Window) -> Path:
    """The file that holds these windows."""
    file = folder / PREDICTIONS_FILE
    with open_predictions(file, make_columns(kind, names)) as writer:
        for ids, labels, outputs in windows:
            writer.add(ids, np.array(labels), np.array(outputs))
    return file
