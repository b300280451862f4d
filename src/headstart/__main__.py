"""`python -m headstart` is the command `headstart`, which imports nothing from the current folder either."""

from __future__ import annotations

import os
import sys

#: 128 and the number of SIGINT, as shells have it.
_CODE = 130


def start() -> int:
    """Run the command line and give its exit code; Ctrl-C while its modules are imported ends it at once."""
    _end_at_interrupt()
    from headstart.cli import main
    from headstart.interrupts import ignore_interrupts

    code = main()
    ignore_interrupts()  # one that comes now finds all done and said: the code stays
    return code


def _end_at_interrupt() -> None:
    """Have Ctrl-C end the process without a traceback, unless it is ignored: nothing has begun yet."""
    import signal  # here: the current folder may hold a signal.py, and is left out only then

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(_CODE)


def _leave_current_folder_out() -> None:
    """Python puts the current folder first: a torch.py there would be run. Unless this package lies there."""
    current, first = os.path.realpath("."), os.path.realpath(sys.path[0] or ".")
    is_package = os.path.realpath(f"{__file__}/../..") == current
    if not sys.flags.safe_path and first == current and not is_package:
        del sys.path[0]


if __name__ == "__main__":
    _leave_current_folder_out()
    sys.exit(start())
