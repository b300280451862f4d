"""Starts the command that `kills.py` kills: by a new Python, or in a fork of one that has loaded all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn, Protocol

#: What is run, in the study's folder.
WORDS: Final = ("run", "study.yaml", "out=out")


class Command(Protocol):
    """A command that runs, as `subprocess` has it."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""

    def kill(self) -> None:
        """End it."""


StartCommand = Callable[[Path, dict[str, str]], Command]


def start_command(folder: Path, environment: dict[str, str]) -> Command:
    """The command, by a new Python."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "headstart", *WORDS],
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def start_fork(folder: Path, environment: dict[str, str]) -> Command:
    """The command in a fork of this process."""
    import headstart.experiment
    import headstart.training.train_pack  # noqa: F401

    sys.stdout.flush()
    pid = os.fork()
    return Fork(pid) if pid else _become_command(folder, environment)


def _become_command(folder: Path, environment: dict[str, str]) -> NoReturn:
    from headstart.cli import main as run

    os.setsid()
    os.chdir(folder)
    os.environ |= environment
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    code = 1
    try:
        code = run(list(WORDS))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Fork:
    """A child of this process, as `subprocess` would have it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, or minus the signal's number."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended.

        Raises:
            TimeoutError: it has not.
        """
        began = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() - began > timeout:
                raise TimeoutError
            time.sleep(0.01)
        return code

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
