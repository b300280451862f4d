"""How much memory a process may use: the machine's, or what a container or a limit leaves of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

_CGROUPS: Final = Path("/sys/fs/cgroup")
_NEW_NAMES: Final = ("memory.max", "memory.current")
_OLD_NAMES: Final = ("memory.limit_in_bytes", "memory.usage_in_bytes")
_OWN_GROUP: Final = Path("/proc/self/cgroup")


def measure_memory_limit() -> int:
    """Bytes that this process could have if nothing else ran: memory and swap, or less by a limit."""
    machine = psutil.virtual_memory().total + psutil.swap_memory().total
    return int(min([machine, *_list_limits()]))


def measure_free_memory() -> int:
    """Bytes that processes can still take: what is free here, or what a container's limit leaves."""
    left = (limit - used for limit, used in _list_group_limits())
    return int(max(0, min([psutil.virtual_memory().available, *left])))


def _list_limits() -> Iterator[int]:
    yield from (limit for limit, _ in _list_group_limits())
    with suppress(ImportError):  # Windows has no such limits
        import resource

        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            soft, _ = resource.getrlimit(kind)
            if soft != resource.RLIM_INFINITY:
                yield soft


def _list_group_limits() -> Iterator[tuple[int, int]]:
    """Limits of the control groups that this process is in, with what is in use beside caches of files."""
    with suppress(OSError):
        for line in _OWN_GROUP.read_text(encoding="utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds == "" or "memory" in kinds.split(","):
                yield from _read_group(kinds, path)


def _read_group(kinds: str, path: str) -> Iterator[tuple[int, int]]:
    """Of a group and those that it lies in, as version 2 names the files, or version 1."""
    root = _CGROUPS if kinds == "" else _CGROUPS / "memory"
    names = (
        ("memory.max", "memory.current")
        if kinds == ""
        else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    )
    group = root / path.strip("/")
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):  # the root has no limit; `max` is none
            limit = int((folder / names[0]).read_text(encoding="utf-8"))
            used = int((folder / names[1]).read_text(encoding="utf-8"))
            yield limit, max(0, used - _read_cached(folder))
        if folder == root:
            return


def _read_cached(group: Path) -> int:
    """Bytes of files that the system would give back for the asking."""
    with suppress(OSError, ValueError):
        for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines():
            name, _, count = line.partition(" ")
            if name in ("inactive_file", "total_inactive_file"):
                return int(count)
    return 0
