"""How much memory a process may use: the machine's, or what a container or a limit leaves of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil

from headstart.cgroups import read_free_memory, read_memory_limit


def measure_memory_limit() -> int:
    """Bytes that this process could have if nothing else ran: memory and swap, or less by a limit."""
    machine = psutil.virtual_memory().total + psutil.swap_memory().total
    return int(min([machine, *_list_limits()]))


def measure_free_memory() -> int:
    """Bytes that processes can still take: what is free here, or what a container's limit leaves."""
    of_container = read_free_memory()
    of_machine = int(psutil.virtual_memory().available)
    return of_machine if of_container is None else min(of_machine, of_container)


def _list_limits() -> Iterator[int]:
    of_container = read_memory_limit()
    if of_container is not None:
        yield of_container
    with suppress(ImportError):  # Windows has no such limits
        import resource

        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            soft, _ = resource.getrlimit(kind)
            if soft != resource.RLIM_INFINITY:
                yield soft
