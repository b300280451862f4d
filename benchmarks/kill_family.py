"""A command's processes, watched, struck by signals, and ended: for `kills.py`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psutil

from kill_commands import Command

#: A study whose main process was stopped goes on after these.
STOPPED_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Blow:
    """A signal, to whom, and when: the share of the uninterrupted study's time."""

    victim: str
    signal: str
    share: float


class Family:
    """A command's processes: itself, the server that its workers are forked from, and they."""

    def __init__(self, process: Command) -> None:
        self._process, self._seen = process, dict[int, psutil.Process]()

    def watch_until(self, moment: float) -> None:
        """Wait, and remember who was there."""
        while time.monotonic() < moment and self._process.poll() is None:
            self._look()
            time.sleep(0.02)

    def _look(self) -> list[psutil.Process]:
        try:
            children = list(psutil.Process(self._process.pid).children(recursive=True))
        except psutil.Error:
            return []
        self._seen |= {child.pid: child for child in children}
        return children

    def strike(self, blow: Blow) -> bool:
        """Send the signal; False where the victim is not there."""
        number = signal.Signals[blow.signal]
        targets = self._find(blow.victim)
        sent = [_send(target, number) for target in targets]
        if number == signal.SIGSTOP and blow.victim in ("main", "group"):
            time.sleep(STOPPED_SECONDS)
            for target in targets:
                _send(target, signal.SIGCONT)
        return any(sent)

    def _find(self, victim: str) -> list[int]:
        children = self._look()
        servers = [child.pid for child in children if "forkserver" in _name(child)]
        trackers = [child.pid for child in children if "resource_tracker" in _name(child)]
        workers = [child.pid for child in children if _ask(0, child.ppid) in servers]
        match victim:
            case "main":
                return [self._process.pid] if self._process.poll() is None else []
            case "group":
                return [
                    pid
                    for pid in (self._process.pid, *servers, *workers, *trackers)
                    if self._process.poll() is None
                ]
            case "worker":
                return workers[:1]
            case "workers":
                return workers
            case _:
                return servers[:1]

    def wait(self, most: float) -> bool:
        """Wait for the command to end; one that does not is killed, with all of its own: False."""
        end = time.monotonic() + most
        while self._process.poll() is None and time.monotonic() < end:
            self._look()
            time.sleep(0.05)
        if self._process.poll() is not None:
            return True
        self.end()
        return False

    def end(self) -> None:
        """Kill what is left of it."""
        for process in self._list_living():
            _send(process.pid, signal.SIGKILL)
        self._process.kill()

    def wait_for_orphans(self, most: float) -> list[str]:
        """Wait until all have ended; kills those that do not, and names them."""
        end = time.monotonic() + most
        while (living := self._list_living()) and time.monotonic() < end:
            time.sleep(0.05)
        names = [_name(process)[:120] for process in living]
        self.end()
        return names

    def _list_living(self) -> list[psutil.Process]:
        return [process for process in self._seen.values() if _lives(process)]


def _ask(default: Any, ask: Callable[[], Any]) -> Any:
    """What a process says of itself, or the default where it has ended."""
    try:
        return ask()
    except psutil.Error:
        return default


def _lives(process: psutil.Process) -> bool:
    return bool(process.is_running()) and _ask(psutil.STATUS_ZOMBIE, process.status) != psutil.STATUS_ZOMBIE


def _name(process: psutil.Process) -> str:
    return " ".join(_ask([], process.cmdline))


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
