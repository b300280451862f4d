"""Finds classes by which data sets say that a text has no label, such as -1 and nan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from headstart.records import StudyWarning

#: What tables write for a cell without a value, as they are read by others: pandas' own words for it.
_WORDS: Final = frozenset({"nan", "<na>", "n/a", "na", "#n/a", "null"})
#: What the hub's data sets write for a text whose label is hidden, or on which nobody agreed.
_NUMBERS: Final = frozenset({"-1", "-100"})


def find_missing_labels(labels: np.ndarray, names: Sequence[str]) -> Iterator[StudyWarning]:
    """Warn of classes that may stand for no label.

    Args:
        labels: class numbers [N] of the training examples.
        names: of the classes, [C].
    """
    counts = dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True))
    for name, count in counts.items():
        if _means_nothing(name, counts):
            yield StudyWarning(
                kind="missing-label",
                message=f"class {name!r} ({count} training examples) often stands for a missing "
                "label: if it does here, remove these rows",
            )


def _means_nothing(name: str, counts: Mapping[str, int]) -> bool:
    if name == "-":  # of texts on which no two people agreed; beside "+" it is a class
        return "+" not in counts
    return name.casefold() in _WORDS or (name in _NUMBERS and _stands_out(name, counts))


def _stands_out(name: str, counts: Mapping[str, int]) -> bool:
    """Whether the other classes are numbers from 0, and it makes no scale with them, as -1, 0 and 1 do."""
    others = [other for other in counts if other not in _NUMBERS]
    if len(others) < 2 or others != [str(i) for i in range(len(others))]:
        return False
    return name != "-1" or len(others) > 2 or 2 * counts[name] < min(counts[other] for other in others)
