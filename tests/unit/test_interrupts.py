"""Signals end the command in order, and the second at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from headstart.cli import main
from headstart.interrupts import Interrupted, keep_handlers, raise_interrupts


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """What runs in the background of a shell ignores Ctrl-C, and so do its children."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_raised_and_the_former_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught:
        _kill_itself(number)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


def _kill_itself(number: signal.Signals) -> None:
    with raise_interrupts():
        os.kill(os.getpid(), number)
        time.sleep(30)


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raise_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_says_what_ended_it(
    number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("headstart.commands.schema.schema", lambda **_: os.kill(os.getpid(), number))
    assert main(["schema"]) == code
    assert f"interrupted by {number.name}: no partial files are left" in capsys.readouterr().err


_DEAF = """
import os, signal, subprocess, sys, time
from headstart.interrupts import Interrupted, raise_interrupts
with raise_interrupts():
    try:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
        print(child.pid, flush=True)
        time.sleep(120)
    except Interrupted:
        print("first", flush=True)
        time.sleep(120)
"""


def test_a_second_signal_ends_it_at_once_with_its_children() -> None:
    process = subprocess.Popen([sys.executable, "-c", _DEAF], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "first\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    _await_end(child)
    process.stdout.close()


def _await_end(pid: int) -> None:
    """Return when the process has ended, looked after or not; it was killed, which takes a moment."""
    with suppress(psutil.NoSuchProcess):
        process, end = psutil.Process(pid), time.monotonic() + 60
        while process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_handlers_that_a_library_sets_do_not_stay() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with keep_handlers():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) == before
