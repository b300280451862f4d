"""The processes that train one model together: which of them this is, and what they tell each other.

Every one of them makes the same steps of the same run, each with its own rows of a batch; what decides where
the run goes (losses, norms, metrics) is known to all of them, to the bit, so that all decide the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist

from headstart.config.parallel import ParallelKind

_T = TypeVar("_T")


@dataclass(frozen=True)
class Group:
    """Process `rank` of `size`, which have opened torch's default process group.

    `kind` is `ddp`, where each holds all weights, or `fsdp`, where each holds its part of them.
    """

    kind: ParallelKind
    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Whether it is this process that writes and tells."""
        return self.rank == 0

    def add_up(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in place; the same bits in each."""
        dist.all_reduce(values)
        return values

    def gather(self, value: _T) -> list[_T]:
        """Every process's value, in the order of ranks, in each of them."""
        values: list[_T | None] = [None] * self.size
        dist.all_gather_object(values, value)
        return values  # type: ignore[return-value]

    def take_word(self, value: _T) -> _T:
        """The first process's value, in each of them."""
        values: list[_T] = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def gather_parts(self, part: torch.Tensor, rows: int) -> torch.Tensor | None:
        """The whole of a tensor of which each process holds `part`, in the first process alone.

        Args:
            part: on the CPU: consecutive rows, as `torch.chunk` cuts `rows` of them.
        """
        most = -(-rows // self.size)
        padded = part.new_zeros(most, *part.shape[1:])
        padded[: len(part)] = part
        parts = [torch.empty_like(padded) for _ in range(self.size)] if self.leads else None
        dist.gather(padded, parts, dst=0)
        return None if parts is None else torch.cat(parts)[:rows]

    def share(self, count: int) -> tuple[int, int]:
        """Which of `count` rows are this process's, the first and one past the last: as even as can be."""
        return count * self.rank // self.size, count * (self.rank + 1) // self.size
