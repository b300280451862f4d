"""Texts and labels of each kind from which tests fit small bags of words."""

from __future__ import annotations

import numpy as np

from headstart.config.traits import LabelKind

TEXTS = [
    "good book",
    "very good",
    "bad book",
    "so bad",
    "Good good film",
    "bad bad film",
    "odd été",
    "odd 東京",
]
LABELS: dict[LabelKind, np.ndarray] = {
    "class": np.array([1, 1, 0, 0, 1, 0, 2, 2]),
    "label-set": np.array([[1, 0, 1], [1, 0, 1], [0, 0, 1], [0, 0, 1]] * 2, np.float32),
    "number": np.array([5, 4, 1, 2, 5, 1, 3, 3], np.float32),
}
