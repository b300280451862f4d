"""Sets a variable of the process's environment for a while, and puts back what was there."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

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
