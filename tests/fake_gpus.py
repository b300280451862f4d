"""GPUs that are not there: answers in place of those of torch and the driver, for what is decided by them."""

from __future__ import annotations

import pytest

from headstart import cuda
from headstart.records import Gpu

GIB = 2**30


def make_gpus(count: int = 1, gib: float = 80, free: float | None = None) -> tuple[Gpu, ...]:
    """So many GPUs of `gib` GiB each, `free` of them free, or all."""
    total = int(gib * GIB)
    gpu = Gpu(name="Fake 80", total_bytes=total, free_bytes=total if free is None else int(free * GIB))
    return (gpu,) * count


def fake_gpus(patch: pytest.MonkeyPatch, gpus: tuple[Gpu, ...]) -> None:
    """Have this process see these GPUs, for questions alone: nothing can be computed on them."""
    patch.setattr(cuda, "count_gpus", lambda: len(gpus))
    patch.setattr(cuda, "list_gpus", lambda: gpus)
    patch.setattr(cuda, "get_gpu_name", lambda: gpus[0].name)
    patch.setattr(cuda, "supports_bf16", lambda: True)
