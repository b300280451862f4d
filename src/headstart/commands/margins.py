"""Which margin differences are judged by: the one given to a command, or else the study's."""

from __future__ import annotations

import math

from headstart.errors import HeadstartError
from headstart.records import Margin


def choose_margin(of_study: Margin | None, given: float | None) -> Margin | None:
    """The one given to the command, which whoever has seen the results could choose by them; else the
    study's.

    Raises:
        HeadstartError: it is not above zero, or beyond what a number can be.
    """
    if given is None or (of_study and of_study.value == given):
        return of_study
    value = _make_float(given)
    if not 0 < value < math.inf:
        raise HeadstartError(f"{value:g}", where="--margin", expected="a number above 0")
    return Margin(value=value, stated="after the results")


def _make_float(given: float) -> float:
    """The number; a whole one that no float holds is infinite."""
    try:
        return float(given)
    except OverflowError:
        return math.inf if given > 0 else -math.inf
