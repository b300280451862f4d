"""Which processors a process may use and keeps to; where the system knows no such thing, all of them.

Fewer may be used than there are: by affinity, by the quota of a container, and by `OMP_NUM_THREADS`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from headstart.cgroups import read_cpu_quota


def list_processors() -> tuple[int, ...]:
    """The processors that this process may use, ascending; none where the system does not say which."""
    affinity = getattr(os, "sched_getaffinity", None)
    return tuple(sorted(affinity(0))) if affinity else ()


#: Those of a process before anything pinned it.
_AT_START = list_processors()


def count_processors() -> int:
    """How many processors this process may use, and its workers together."""
    there = len(list_processors()) or os.cpu_count() or 1
    return max(1, min(there, read_cpu_quota() or there))


def count_threads(workers: int, processors: int | None = None) -> int:
    """Threads of each of so many processes: their share of the processors, by default this machine's, as
    `OMP_NUM_THREADS` allows."""
    share = max(1, (processors or count_processors()) // workers)
    return min(share, _read_asked_threads() or share)


def _read_asked_threads() -> int | None:
    """What `OMP_NUM_THREADS` says, in its first level; None where it is not set, or says nothing."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and len(first) < 6 and int(first) else None


def share_processors(place: int, workers: int) -> tuple[int, ...]:
    """The processors of the worker at `place`, from 0, of so many; all where there are too few to share.

    All as well where a quota holds: the system then decides which are used, and those of one share may be
    taken by others.
    """
    processors = list_processors()
    if count_processors() < len(processors):
        return processors
    each = len(processors) // workers
    return processors[place * each : (place + 1) * each] or processors


def pin_process(processors: Sequence[int]) -> None:
    """Keep this process to these processors, the threads that it has already included; none: leave it."""
    if not processors or not hasattr(os, "sched_setaffinity"):
        return
    tasks = Path("/proc/self/task")
    # Linux pins threads, not processes: those that torch has started before keep what they had.
    threads = [int(task.name) for task in tasks.iterdir()] if tasks.is_dir() else [0]
    for thread in threads:
        with suppress(OSError):  # forbidden, or a thread that has ended
            os.sched_setaffinity(thread, processors)


def is_pinned() -> bool:
    """Whether this process keeps to fewer processors than it began with."""
    return len(list_processors()) < len(_AT_START)
