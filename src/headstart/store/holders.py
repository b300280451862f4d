"""Tells who holds a lease: which process of which machine, since when, and whether that process is gone."""

from __future__ import annotations

import os
import socket
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import psutil
from pydantic import Field

from headstart.records import Record

#: Changes with each start of the machine: process ids and their start times mean nothing across it.
_BOOT_FILE: Final = Path("/proc/sys/kernel/random/boot_id")
#: Process ids mean nothing across it either: two containers of one machine may have the same.
_PROCESS_SPACE: Final = Path("/proc/self/ns/pid")
#: States of a process, as Linux writes them, that has ended and is only not yet asked for.
_ENDED: Final = frozenset("ZXx")
#: More than any system numbers its processes to, and than any lease has had holders.
_MOST_PROCESSES: Final = 2**31 - 1
_MOST_LOST: Final = 10**9
#: A name of a machine, or a time, of at most so many characters.
Name = Annotated[str, Field(max_length=1024)]


class Holder(Record):
    """The process that holds a lease.

    `host` is its machine's name, for people; `machine` tells where its id can be looked up. `started` is when
    the process began, by its machine's own count: a later process with the same id has another. `token` is
    drawn for each lease, and `lost` counts the holders before it that ended without giving it back.
    """

    host: Name
    machine: Name
    process: int = Field(gt=0, le=_MOST_PROCESSES)
    started: float
    since: Name
    token: Name = Field(default_factory=lambda: uuid.uuid4().hex)
    lost: int = Field(default=0, ge=0, le=_MOST_LOST)

    @property
    def is_here(self) -> bool:
        """Whether its process id can be looked up from this process."""
        return self.machine == identify_machine()

    @property
    def is_gone(self) -> bool:
        """Whether it is known to have ended; of a process elsewhere, or hidden, it is not known."""
        return self.is_here and read_start(self.process) != self.started and not self.is_hidden

    @property
    def is_hidden(self) -> bool:
        """Whether there is a process of that id which another user's may not look at (hidepid of /proc)."""
        return self.is_here and read_start(self.process) is None and _is_of_another_user(self.process)

    @property
    def is_this_process(self) -> bool:
        """Whether it is the process that asks."""
        return self.is_here and self.process == os.getpid() and not self.is_gone

    def __str__(self) -> str:
        told = f"process {self.process} on host {self.host}, since {self.since}"
        if not (self.is_here and is_stopped(self.process)):
            return told
        return f"{told}, which is stopped (kill -CONT {self.process} resumes it)"


def describe_this_process() -> Holder:
    """This process as a holder, with a new token."""
    process = os.getpid()
    return Holder(
        host=socket.gethostname(),
        machine=identify_machine(),
        process=process,
        started=read_start(process) or 0.0,
        since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    )


@cache
def identify_machine() -> str:
    """The machine since its last start, with the space of process ids that this process sees."""
    try:
        return f"{_BOOT_FILE.read_text(encoding='ascii').strip()} {_PROCESS_SPACE.readlink()}"
    except OSError:  # no Linux
        return f"{socket.gethostname()} {uuid.getnode()}"


def read_start(process: int) -> float | None:
    """When the process of that id began, in no particular unit; None where it has ended."""
    try:
        # Counted from the machine's start: psutil's time moves when the clock is set.
        line = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _ask_start(process)
    fields = line.rpartition(")")[2].split()  # a program's name may hold anything
    return None if fields[0] in _ENDED else float(fields[19])


def is_stopped(process: int) -> bool:
    """Whether somebody has stopped the process of that id (SIGSTOP, Ctrl-Z)."""
    with suppress(psutil.Error):
        return bool(psutil.Process(process).status() == psutil.STATUS_STOPPED)
    return False


def _is_of_another_user(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _ask_start(process: int) -> float | None:
    """As `read_start`, where there is no /proc, or nothing in it of that process."""
    if Path("/proc/self/stat").exists():
        return None
    try:
        found = psutil.Process(process)
        return None if found.status() == psutil.STATUS_ZOMBIE else float(found.create_time())
    except psutil.Error:
        return None
