"""Waits for tasks of a cluster until they have ended, for so long at most, and takes what they give."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from headstart.execute.ray.calls import Cluster, Handle, LostTaskError

#: Seconds for which tasks are awaited before whoever waits looks at anything else.
LOOK_SECONDS: Final = 0.5


def await_tasks(
    cluster: Cluster,
    handles: Sequence[Handle],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> list[Handle]:
    """Wait until all have ended, for so long at most; gives those that have not."""
    left, end = list(handles), clock() + seconds
    while left and clock() < end:
        ready = cluster.wait(left, LOOK_SECONDS)
        left = [handle for handle in left if handle not in ready]
    return left


def gather_results(
    cluster: Cluster,
    handles: Sequence[Handle],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> list[Any]:
    """What tasks give, in their order; None of those that were lost, or took longer: these are ended."""
    left = list(handles)
    try:
        left = await_tasks(cluster, handles, seconds, clock)
    finally:
        for handle in left:
            cluster.end(handle, force=True)
    return [None if handle in left else _fetch(cluster, handle) for handle in handles]


def _fetch(cluster: Cluster, handle: Handle) -> Any:
    try:
        return cluster.fetch(handle)
    except LostTaskError:
        return None
