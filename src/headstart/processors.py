"""Which processors a process may use and keeps to; where the system knows no such thing, all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def list_processors() -> tuple[int, ...]:
    """The processors that this process may use, ascending; none where the system does not say which."""
    affinity = getattr(os, "sched_getaffinity", None)
    return tuple(sorted(affinity(0))) if affinity else ()


#: Those of a process before anything pinned it.
_AT_START = list_processors()


def count_processors() -> int:
    """How many processors this process may use."""
    return len(list_processors()) or os.cpu_count() or 1


def share_processors(place: int, workers: int) -> tuple[int, ...]:
    """The processors of the worker at `place`, from 0, of so many; all where there are too few to share."""
    processors = list_processors()
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
