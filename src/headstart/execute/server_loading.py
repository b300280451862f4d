"""Imported first by the server that workers are forked from: while it loads torch, it ends with its parent.

By itself it looks for its parent only when it has loaded all, which takes a busy machine a while. The thread
that looks meanwhile has ended before the first fork: `server_loaded` is imported last.
"""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import Final

from headstart.os_faults import is_of_the_machine

#: Seconds between two looks.
_LOOK_SECONDS: Final = 0.5
_is_loaded: Final = threading.Event()


def _end_with_parent(parent: int) -> None:
    while not _is_loaded.wait(_LOOK_SECONDS):
        if os.getppid() != parent:
            os._exit(1)


_watch: Final = threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True)


def stop_watch() -> None:
    """Have no thread any more."""
    _is_loaded.set()
    if _watch.is_alive():
        _watch.join()


def _pass_over_machine_faults(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print no traceback where the system lets nothing be forked: the process that asked for it says so."""
    if not is_of_the_machine(error):
        sys.__excepthook__(kind, error, trace)


if sys.argv[0] == "-c":  # as multiprocessing begins it, and nobody who imports this to read or to test it
    sys.excepthook = _pass_over_machine_faults
    _watch.start()
