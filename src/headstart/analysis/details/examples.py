"""Single test examples worth reading: confidently wrong ones, and those on which arms differ most."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.config.study import Size


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
