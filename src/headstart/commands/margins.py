"""Which margin differences are judged by: the one given to a command, or else the study's."""

from __future__ import annotations

import math

from headstart.errors import HeadstartError
from headstart.records import Margin


def choose_margin(of_study: Margin | None, given: float | None) -> Margin | None:
    """The one given to the command, which whoever has seen the results could choose by them; else the
    study's.

    Raises:
        HeadstartError: it is not above zero.
    """
    if given is None or (of_study and of_study.value == given):
        return of_study
    if not 0 < given < math.inf:
        raise HeadstartError(f"{given:g}", where="--margin", expected="a number above 0")
    return Margin(value=given, stated="after the results")
