"""A process's place in a group that trains one model, and how it takes it: what torch's own groups need.

On a CPU they talk by gloo, on GPUs by NCCL, and by gloo of what lies on the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import FileStore, PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from headstart.config.parallel import ParallelKind
from headstart.engine.group import Group

#: Under which all of one group find each other, in whatever store they meet.
_PREFIX = "headstart/group"


@dataclass(frozen=True)
class Seat:
    """Rank `rank` of `size`; `turn` counts the groups that met in one store.

    `file` is where processes of one machine meet, one they made for themselves; None: in torchrun's store.
    `timeout` are the seconds that one waits for another.
    """

    kind: ParallelKind
    rank: int
    size: int
    turn: int
    timeout: float
    file: str | None


def take_seat(seat: Seat, device: torch.device) -> Group:
    """Meet the others; who has taken a seat leaves it by `leave_seat`, or ends."""
    patience = timedelta(seconds=seat.timeout)
    backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
    store = open_store(seat.file, seat.size, patience)
    dist.init_process_group(
        backend,
        store=PrefixStore(f"{_PREFIX}/{seat.turn}", store),
        rank=seat.rank,
        world_size=seat.size,
        timeout=patience,
    )
    return Group(seat.kind, seat.rank, seat.size)


def name_process(rank: int, size: int) -> str:
    """What people are told of one of a group."""
    return f"process {rank + 1} of {size}"


def leave_seat() -> None:
    """Close what `take_seat` opened."""
    dist.destroy_process_group()


def open_store(file: str | None, size: int, patience: timedelta) -> Store:
    """Where processes leave each other words: in a file, or at torchrun's agent."""
    if file is not None:
        return FileStore(file, size)
    store: Store = next(iter(rendezvous("env://", timeout=patience)))[0]
    store.set_timeout(patience)
    return store
