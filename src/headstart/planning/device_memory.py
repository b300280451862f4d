"""The memory that torch reserves on a GPU for so many runs as one, from what each needs; measures nothing.

docs/plan.md says how it is counted, and what it was compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headstart.planning.cost import CONTEXT_BYTES
from headstart.planning.memory import MemoryEstimate
from headstart.records import Gpu, Range

#: Workspaces of the libraries for products, and small tensors: what there is at least, and at most.
_WORKSPACES: Final = (8 << 20, 256 << 20)
#: What the allocator reserves for each byte in use, at most: sizes are rounded up, and gaps are left.
_ROUNDING: Final = 1.1


def estimate_device_memory(need: MemoryEstimate, runs: int, *, captures: bool) -> Range:
    """Bytes that torch reserves for so many runs as one.

    At the least weights and a step, whose memory evaluations and the making of models use again. At the most
    evaluations have memory of their own, and so have steps that are made before their like is captured:
    graphs share one pool, which nothing else can use.

    Args:
        captures: whether steps may be captured as CUDA graphs.
    """
    weights = need.shared + runs * need.member
    step = runs * ((need.stacked_step if runs > 1 else need.step) + need.gradient)
    least = weights + max(step, need.evaluation, need.whole_model)
    most = weights + max((2 if captures else 1) * step + need.evaluation, need.whole_model)
    return Range(low=least + _WORKSPACES[0], high=_ROUNDING * most + _WORKSPACES[1])


def add_context(memory: Range) -> Range:
    """The same with what CUDA itself takes for the process: what has to be free."""
    return Range(low=memory.low + CONTEXT_BYTES, high=memory.high + CONTEXT_BYTES)


def count_sharing(processes: int, gpus: Sequence[Gpu]) -> int:
    """How many of so many processes compute on one GPU, where they take GPUs in turn."""
    return -(-max(1, processes) // max(1, len(gpus)))


def find_least_free(gpus: Sequence[Gpu]) -> int:
    """Bytes that are free on each of the GPUs."""
    return min(gpu.free_bytes for gpu in gpus)
