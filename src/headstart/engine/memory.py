"""Memory of a training process: freed blocks kept for the next step, and the peak that a run reaches.

Meant for a process that does nothing but train: the setting lasts as long as the process.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

import torch

from headstart.engine.dropout import create_recompute_contexts

# Names and numbers of glibc's <malloc.h>.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TRIM_THRESHOLD, _TOP_PAD = 2**31 - 1, 64 << 20
#: The messages of torch's allocator for the CPU, in its two forms; and of CUDA and its libraries, where they
#: ask for memory without torch's allocator.
_OUT_OF_MEMORY_MESSAGES = (
    "can't allocate memory",
    "not enough memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)


def keep_freed_memory() -> bool:
    """Have glibc keep big freed blocks instead of giving them back to the system; False where it is not used.

    Each training step frees and asks again for gradients of tens of megabytes; given back and mapped
    afresh they cost a page fault every 4 KiB.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library than glibc
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _TRIM_THRESHOLD), (_M_TOP_PAD, _TOP_PAD))
    return all(mallopt(name, value) == 1 for name, value in settings)


def reset_peak_memory() -> None:
    """Start a new peak of resident memory, where the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def read_peak_bytes() -> int:
    """The peak of resident memory since `reset_peak_memory`, or since the process began where that is not
    kept."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        import resource  # not on every system

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def enable_gradient_checkpointing(model: Any) -> bool:
    """Have a model of transformers compute its blocks again in the backward pass; False where it cannot.

    With the dropout masks of the first time: they are drawn by place, and a repetition knows its own. Torch's
    own generator has no part in it, whose state a captured CUDA graph may not be asked for.
    """
    if not getattr(model, "supports_gradient_checkpointing", False):
        return False
    # Called so since transformers 5.2x; the older name warns.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    settings = {"use_reentrant": False, "preserve_rng_state": False}
    enable(settings | {"context_fn": create_recompute_contexts})
    return True


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` means that a device, or this machine, is out of memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        message in str(error) for message in _OUT_OF_MEMORY_MESSAGES
    )
