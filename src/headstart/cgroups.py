"""The limits of the container that this process is in: Linux control groups of both versions, nested too.

A group's limits hold for the groups within it: the smallest of all that the process is in counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Where the system shows groups, and which this process is in.
ROOT: Final = Path("/sys/fs/cgroup")
OWN: Final = Path("/proc/self/cgroup")
#: Version 1 says "no limit" with a number near this.
_UNLIMITED: Final = 1 << 60


@dataclass(frozen=True)
class _Memory:
    """What one group may take, and may still take, in bytes."""

    limit: int
    free: int


def read_cpu_quota() -> int | None:
    """How many processors' time the container may take, at least 1; None without a limit."""
    quotas = [*_read_quotas_v2(), *_read_quotas_v1()]
    return max(1, int(min(quotas))) if quotas else None


def read_memory_limit() -> int | None:
    """Bytes that the container may take in all; None without a limit."""
    limits = [memory.limit for memory in _read_memories()]
    return min(limits) if limits else None


def read_free_memory() -> int | None:
    """Bytes that the container may still take; None without a limit."""
    frees = [memory.free for memory in _read_memories()]
    return max(0, min(frees)) if frees else None


def _read_quotas_v2() -> Iterator[float]:
    for group in _list_groups(""):
        quota, _, period = _read(group / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit() and int(period):
            yield int(quota) / int(period)


def _read_quotas_v1() -> Iterator[float]:
    for group in _list_groups("cpu"):
        quota, period = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):  # -1 is no limit
            yield int(quota) / int(period)


def _read_memories() -> Iterator[_Memory]:
    yield from _read_memories_of("", "memory.max", "memory.current", "inactive_file")
    v1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    yield from _read_memories_of("memory", *v1)


def _read_memories_of(controller: str, limit_file: str, used_file: str, files: str) -> Iterator[_Memory]:
    for group in _list_groups(controller):
        limit, used = _read(group / limit_file), _read(group / used_file)
        if limit.isdigit() and used.isdigit() and int(limit) < _UNLIMITED:  # `max` is no limit
            yield _Memory(int(limit), int(limit) - int(used) + _read_reclaimable(group, files))


def _read_reclaimable(group: Path, name: str) -> int:
    """Bytes of files that were read, which the system gives up for a process that asks for memory."""
    for line in _read(group / "memory.stat").splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdigit():
            return int(value)
    return 0


def _list_groups(controller: str) -> Iterator[Path]:
    """The folders of the groups that this process is in, from its own to the outermost.

    In a container its own may be shown as the outermost: folders that are not there are passed over.

    Args:
        controller: of version 1; empty for version 2, which has one tree for all.
    """
    for line in _read(OWN).splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller not in names.split(","):
            continue
        tree = ROOT / names if (ROOT / names).is_dir() else ROOT / controller
        own = Path(path.strip("/"))
        for part in (own, *own.parents):
            if ".." not in part.parts and (tree / part).is_dir():
                yield tree / part


def _read(file: Path) -> str:
    """The text of a small file of the system; none where it is not there."""
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
