"""Lets SIGTERM end what goes on as an error does: processes are stopped, and what was held is given back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

#: What shells give for a process that SIGTERM ended.
_EXIT_CODE: Final = 128 + signal.SIGTERM


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Within it SIGTERM raises SystemExit, unless the program has its own way; a second one ends it."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not is_ours:
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise SystemExit(_EXIT_CODE)
