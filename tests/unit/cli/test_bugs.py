"""A bug's own traceback is printed so that no terminal obeys it, and called what it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import headstart

PROGRAM = """
import sys, threading
from headstart import cli
from headstart.commands import schema
def fail(*_, **__): raise ArithmeticError({message!r})
schema.schema = fail
if sys.argv[1] == "thread":
    cli.bugs.escape_tracebacks()
    thread = threading.Thread(target=fail)
    thread.start(); thread.join()
else:
    sys.exit(cli.main(["schema"]))
"""


def run_program(word: str, message: str) -> subprocess.CompletedProcess[str]:
    """What a command ends in that meets an error which nobody foresaw."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(message=message), word],
        env=os.environ | {"PYTHONPATH": str(Path(headstart.__file__).parents[1])},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_a_bug_ends_a_command_with_its_traceback_escaped_and_code_1() -> None:
    ended = run_program("main", "\x1b]0;owned\x07 \u202e")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Traceback (most recent call last)" in ended.stderr
    assert "ArithmeticError" in ended.stderr
    assert "this is a bug in headstart" in ended.stderr
    assert "please report" in ended.stderr
    assert not {"\x1b", "\x07", "\u202e"} & set(ended.stderr)


def test_that_of_a_thread_is_escaped_too() -> None:
    ended = run_program("thread", "\x1b]0;owned\x07 \u202e")
    assert "ArithmeticError" in ended.stderr
    assert "this is a bug in headstart" in ended.stderr
    assert not {"\x1b", "\x07", "\u202e"} & set(ended.stderr)
