"""The processors and the memory of one machine that trains, this one or another like it of several."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.machine_memory import measure_free_memory
from headstart.processors import count_processors, count_threads


@dataclass(frozen=True)
class Host:
    """One of `machines` that are alike; what is None is as on this one."""

    processors: int | None = None
    free_memory: int | None = None
    machines: int = 1

    def count_processors(self) -> int:
        """How many processors its processes may use together."""
        return self.processors or count_processors()

    def count_threads(self, workers: int) -> int:
        """Threads of each of so many processes."""
        return count_threads(workers, self.processors)

    def measure_free_memory(self, held: int = 0) -> int:
        """Bytes that processes can take, where those that hold so many end first.

        `free_memory` is what another machine has while none of ours is there.
        """
        return self.free_memory if self.free_memory is not None else measure_free_memory() + held

    def share(self, runs: int) -> int:
        """How many of so many runs are its own."""
        return -(-runs // self.machines)


#: This machine, alone.
HERE = Host()
