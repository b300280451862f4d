"""Ends a worker as soon as its parent has ended, however that was, and whatever the worker does.

A worker is a child of the server that it was forked from, so that its kernel parent tells nothing. Its parent
holds the other end of a pipe: when that closes, the parent has ended.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Final

#: What a worker ends with whose parent is gone: nobody asks.
_EXIT_CODE: Final = 1


def end_with_parent() -> None:
    """Let this process end when its parent does; one that is no child of a Python process goes on."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    _ask_for_signal(parent.sentinel)
    watch = threading.Thread(target=_wait_and_end, args=(parent.sentinel,), daemon=True, name="parent-watch")
    watch.start()


def _ask_for_signal(pipe: int) -> None:
    """Where the kernel can, have it end this process when the pipe closes, without a thread of Python's.

    That waits for the interpreter's lock, which a long call into a library may hold.
    """
    with suppress(ImportError, AttributeError, OSError):  # not of Windows, or not of this kind of pipe
        import fcntl

        # SIGIO, which ends a process that does not ask for anything else. Nothing is sent through the pipe.
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def _wait_and_end(pipe: int) -> None:
    with suppress(OSError):
        wait([pipe])
    os._exit(_EXIT_CODE)
