"""Warnings for a terminal, marked with `!`; notes of what arms differ in stand first, unmarked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from headstart.config.fairness import DIFFERS
from headstart.records import StudyWarning

_STYLE: Final = "yellow"


def render_warnings(warnings: Sequence[StudyWarning]) -> Iterator[Text]:
    """Each once."""
    unique = list(dict.fromkeys(warnings))
    yield from (Text(warning.message) for warning in unique if warning.kind == DIFFERS)
    yield from (Text(f"! {warning.message}", style=_STYLE) for warning in unique if warning.kind != DIFFERS)
