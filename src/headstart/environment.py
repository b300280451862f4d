"""Sets a variable of the process's environment for a while, and reads those that are seconds."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from headstart.errors import HeadstartError

#: One a variable: the environment is the process's, whose threads may run side by side.
_LOCKS: Final[dict[str, threading.Lock]] = {}


@contextmanager
def set_variable(name: str, value: str) -> Iterator[None]:
    """Have the variable `name` be `value` within the block, which one thread enters at a time."""
    with _LOCKS.setdefault(name, threading.Lock()):
        before = os.environ.get(name)
        os.environ[name] = value
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before


def read_seconds(name: str, default: float) -> float:
    """The seconds that the variable `name` holds, or the default where it is empty or not set.

    Raises:
        HeadstartError: that is no number above zero.
    """
    word = os.environ.get(name) or f"{default:g}"
    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise HeadstartError(
            f"{word!r} seconds", where=name, expected=f"a number above 0, such as {default:g}"
        )
    return seconds
