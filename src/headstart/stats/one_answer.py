"""Whether predictions are one and the same answer, or no better than it; of arrays alone.

Shapes: N examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import binom

#: A run gives one answer where that is more than this share of its predictions ...
ONE_ANSWER: Final = 0.95
#: ... and it is right on less than this share of the examples to which it is the wrong answer ...
FOUND: Final = 0.1
#: ... of which there are enough to tell.
FEWEST_OTHERS: Final = 5
#: A loss has not left that of guessing where it is less than this share of it lower.
LOSS_SHARE: Final = 0.01
#: The chance of calling predictions better than one answer that are not.
_ALPHA: Final = 0.05
#: Standard errors of a correlation of numbers without any, at the same level (one-sided).
_NOISE: Final = 1.644854


@dataclass(frozen=True)
class CommonAnswer:
    """The most frequent prediction: its number, how often it is given, and how often anything is right."""

    answer: int
    count: int
    right: int


def find_common_answer(y_true: np.ndarray, y_pred: np.ndarray) -> CommonAnswer:
    """The most frequent of the predictions [N], the first of several; `y_true` and they are class numbers."""
    counts = np.bincount(y_pred)
    answer = int(counts.argmax())
    return CommonAnswer(answer, int(counts[answer]), int((y_true == y_pred).sum()))


def is_one_answer(y_true: np.ndarray, y_pred: np.ndarray) -> bool:
    """Whether nearly all predictions [N] are one class, and hardly any example of another class is found.

    A good model of data that are nearly all of one class gives that class nearly always too, but finds some
    of the others.
    """
    common = find_common_answer(y_true, y_pred)
    others = y_true != common.answer
    found = (y_true == y_pred)[others].sum()
    is_common = common.count > ONE_ANSWER * len(y_pred)
    return bool(is_common and others.sum() >= FEWEST_OTHERS and found < FOUND * others.sum())


def is_no_better(y_true: np.ndarray, right: int) -> bool:
    """Whether so many of N right answers are what the most frequent class gives, within chance.

    The exact binomial test, one-sided at 5%, of the share of the most frequent of the classes [N].
    """
    n = len(y_true)
    share = np.bincount(y_true).max() / n
    return bool(binom.sf(right - 1, n, share) >= _ALPHA)


def has_left_guessing(loss: float, chance_loss: float) -> bool:
    """Whether a mean loss is more than 1% below that of guessing; a loss without a number has not."""
    return loss < (1 - LOSS_SHARE) * chance_loss


def is_one_number(y_true: np.ndarray, y_pred: np.ndarray) -> bool:
    """Whether predicted numbers [N] hardly vary beside the true ones, and what varies tells nothing.

    Their deviation is less than 5% of that of the true numbers, and the correlation of both no more than
    numbers without any have by chance (one-sided at 5%).
    """
    spread = np.std(y_true)
    if len(y_true) < FEWEST_OTHERS or np.std(y_pred) >= (1 - ONE_ANSWER) * spread:
        return False
    if np.std(y_pred) <= np.finfo(np.float32).eps * max(1.0, float(np.abs(y_pred).max())):
        return True
    return bool(np.corrcoef(y_true, y_pred)[0, 1] * np.sqrt(len(y_true)) < _NOISE)


def number_sets(*flags: np.ndarray) -> list[np.ndarray]:
    """Sets of labels, arrays [N, C] of 0 or 1, as numbers [N] that are equal for equal sets."""
    _, numbers = np.unique(np.concatenate(flags), axis=0, return_inverse=True)
    return np.split(numbers.ravel(), np.cumsum([len(part) for part in flags])[:-1])
