"""Ends a worker as soon as its parent has ended, however that was, and whatever the worker does.

A worker is a child of the server that it was forked from. Its parent holds the other end of a pipe: when
that closes, the parent has ended. So the server ends too, and with it, on Linux, a worker that is stopped.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Final

#: What a worker ends with whose parent is gone: nobody asks.
_EXIT_CODE: Final = 1
#: Of Linux's prctl: the signal that a process gets when the one that forked it ends.
_PR_SET_PDEATHSIG: Final = 1


def end_with_parent() -> None:
    """Let this process end when its parent does; one that is no child of a Python process goes on."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    _ask_for_kill()
    _ask_for_signal(parent.sentinel)
    watch = threading.Thread(target=_wait_and_end, args=(parent.sentinel,), daemon=True, name="parent-watch")
    watch.start()


def _ask_for_kill() -> None:
    """On Linux, have the kernel kill this process when the server that forked it ends.

    Stopped (SIGSTOP), it would hear nothing else. The server ends when the last holder of its own pipe
    closes it, so workers do not keep theirs; one that is stopped itself stays, with what it forked, until it
    goes on. One that ended before this call is not noticed here, but by who waits at the pipe. It forks in
    its main thread, whose end is what the kernel looks at.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with suppress(OSError, AttributeError):  # a C library without prctl
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _let_server_end()


def _let_server_end() -> None:
    """Close this process's copy of the pipe by which the server lives: it is there for who begins others."""
    from multiprocessing import forkserver

    server = getattr(forkserver, "_forkserver", None)
    pipe = getattr(server, "_forkserver_alive_fd", None)
    if isinstance(pipe, int):
        with suppress(OSError):
            os.close(pipe)
        server._forkserver_alive_fd = None  # type: ignore[union-attr]


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
