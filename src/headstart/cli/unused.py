"""Refuses options that a command would not use: what is given and ignored looks as if it had counted."""

from __future__ import annotations

from collections.abc import Mapping

from headstart.errors import HeadstartError


def refuse_unused(given: Mapping[str, object], why: str, expected: str | None = None) -> None:
    """See that none of these options, by name, has a value; `why` says what makes them of no use.

    Raises:
        HeadstartError: one has.
    """
    for name, value in given.items():
        if value is not None and value is not False:
            shown = "" if value is True else f"{value}: "
            raise HeadstartError(
                f"{shown}not used here: {why}", where=name, expected=expected, fix=f"leave out {name}"
            )
