"""How much memory this process may still take: of the machine, and of the container that it is in."""

from __future__ import annotations

import psutil

from headstart.cgroups import read_free_memory


def measure_free_memory() -> int:
    """Bytes that processes can still take."""
    of_container = read_free_memory()
    of_machine = int(psutil.virtual_memory().available)
    return of_machine if of_container is None else min(of_machine, of_container)
