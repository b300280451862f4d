"""Single test examples worth reading: confidently wrong ones, and those on which arms differ most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from headstart.analysis.details.class_cells import ClassCell
from headstart.config.sizes import Size

#: Examples of an arm, or of two, that are worth reading.
_MOST: Final = 10


@dataclass(frozen=True)
class WrongExample:
    """A test example that an arm got wrong with most confidence.

    `id` is its place in the test, counted from 0. `text` is None where the texts are not at hand any more;
    else at most 500 characters of it. `confidence` is the mean over seeds of the probability of `predicted`,
    the class that most seeds gave; `wrong_seeds` of `n_seeds` got it wrong.
    """

    arm: str
    size: Size
    id: int
    text: str | None
    label: str
    predicted: str
    confidence: float
    wrong_seeds: int
    n_seeds: int


@dataclass(frozen=True)
class ArmsDiffer:
    """A test example that most seeds of an arm get right and most of its control's wrong, or the reverse.

    `right` and `control_right` are the shares of seeds that got it right.
    """

    arm: str
    control: str
    size: Size
    id: int
    text: str | None
    label: str
    right: float
    control_right: float


def find_wrong_examples(cell: ClassCell) -> list[WrongExample]:
    """The ten that it got wrong with most confidence, the most confident first."""
    wrong = np.flatnonzero(cell.common != cell.y_true)
    order = wrong[np.argsort(-cell.common_confidence[wrong], kind="stable")][:_MOST]
    n_wrong = (~cell.right).sum(0)
    return [
        WrongExample(
            arm=cell.arm,
            size=cell.size,
            id=int(cell.ids[i]),
            text=None,
            label=cell.names[cell.y_true[i]],
            predicted=cell.names[cell.common[i]],
            confidence=float(cell.common_confidence[i]),
            wrong_seeds=int(n_wrong[i]),
            n_seeds=len(cell.seeds),
        )
        for i in order.tolist()
    ]


def find_differing_examples(cell: ClassCell, control: ClassCell) -> list[ArmsDiffer]:
    """The ten of which the share of seeds that got them right differs most, those that the arm gains first.

    Only where one of the two is right with most of its seeds and the other is not; none where the two were
    tested on other examples.
    """
    if not np.array_equal(cell.ids, control.ids):
        return []
    right, control_right = cell.right.mean(0), control.right.mean(0)
    differ = np.flatnonzero((right > 0.5) != (control_right > 0.5))
    gaps = np.abs(right - control_right)
    order = differ[np.lexsort((control_right[differ], -gaps[differ]))][:_MOST]
    found = [
        ArmsDiffer(
            arm=cell.arm,
            control=control.arm,
            size=cell.size,
            id=int(cell.ids[i]),
            text=None,
            label=cell.names[cell.y_true[i]],
            right=float(right[i]),
            control_right=float(control_right[i]),
        )
        for i in order.tolist()
    ]
    return sorted(found, key=lambda one: one.right < one.control_right)
