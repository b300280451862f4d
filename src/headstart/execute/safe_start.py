"""Begins processes so that they import nothing from the current folder, and leave Ctrl-C to their parent."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from headstart.environment import set_variable

_SAFE_PATH: Final = "PYTHONSAFEPATH"


@contextmanager
def keep_out_current_folder() -> Iterator[None]:
    """Have processes that are begun here import nothing from the current folder, whatever lies there.

    multiprocessing begins them by `python -c`, which looks there first: a `torch.py` would be run. What the
    main script itself imports from is handed to workers afterwards, as it is there.
    """
    with set_variable(_SAFE_PATH, "1"):
        yield


@contextmanager
def keep_out_interrupts() -> Iterator[None]:
    """Have processes that are begun here never see Ctrl-C: what it means is for their parent to say.

    A terminal sends it to all of them. One that is still importing would end with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    # Its own start unblocks the signal, whatever was before (Python 3.11).
    resource_tracker.ensure_running()
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
