"""What torchrun tells the processes that it begins: which of them this is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

_NAMES: Final = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True)
class World:
    """Rank `rank` of `size` in all, and `local_rank` of `local_size` on this machine."""

    rank: int
    size: int
    local_rank: int
    local_size: int


def read_world() -> World | None:
    """This process's place; None where torchrun did not begin it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ or any(name not in os.environ for name in _NAMES):
        return None
    return World(*(int(os.environ[name]) for name in _NAMES))


def is_follower() -> bool:
    """Whether torchrun began this process to help the first one, which alone plans, writes and tells."""
    world = read_world()
    return world is not None and world.rank > 0
