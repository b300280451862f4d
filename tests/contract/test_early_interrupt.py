"""Ctrl-C while the command's modules are imported ends it without a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Sends itself the signal while typer is imported, as somebody does who sees a mistake in what they typed.
_EARLY = """
import os, signal, sys
signal.signal(signal.SIGINT, {handler})
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from headstart.__main__ import start
sys.argv = ["headstart", "--version"]
sys.exit(start())
"""


@pytest.mark.parametrize(
    ("handler", "code", "err"),
    [("signal.default_int_handler", 130, "interrupted\n"), ("signal.SIG_IGN", 0, "")],
)
def test_an_early_interrupt_is_one_word_unless_it_is_ignored(handler: str, code: int, err: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _EARLY.format(handler=handler)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (code, err)
    assert done.stdout.startswith("headstart ") == (code == 0)


#: Is sent signals when the command has ended, and Python itself is about to.
_LATE = """
import atexit, os, signal, sys
from headstart.__main__ import start
sys.argv = ["headstart", "--version"]
atexit.register(lambda: [os.kill(os.getpid(), number) for number in 2 * [signal.SIGINT, signal.SIGTERM]])
sys.exit(start())
"""


def test_signals_after_the_end_of_a_command_leave_its_exit_code() -> None:
    done = subprocess.run([sys.executable, "-c", _LATE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("headstart ")
