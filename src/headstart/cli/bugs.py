"""Shows a bug of Headstart's own: its traceback, as a terminal may have it, and whose fault it is."""

from __future__ import annotations

import sys
import threading
import traceback
from types import TracebackType
from typing import Final

from headstart.cli.output import print_error, print_text

_WORDS: Final = (
    "this is a bug in headstart, not your mistake\n  fix: please report the output above and the "
    "command to whoever you got headstart from; check it first: it may quote your texts and paths"
)


def escape_tracebacks() -> None:
    """Have what nothing catches be shown by `show_bug` from now on; Python then ends with exit code 1."""
    sys.excepthook = show_bug
    threading.excepthook = _show_bug_of_thread


def show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback, escaped: an error's message may quote what others wrote."""
    print_text("".join(traceback.format_exception(kind, error, trace)), end="", err=True)
    if issubclass(kind, Exception):
        print_error(_WORDS)


def _show_bug_of_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is not None and not issubclass(found.exc_type, SystemExit):
        show_bug(found.exc_type, found.exc_value, found.exc_traceback)
