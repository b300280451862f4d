"""Asks torch and the driver about this machine's GPUs; chooses nothing.

A context of CUDA's takes some 500 MiB of a GPU for as long as its process lives, and the one that waits for
workers needs none: counting and properties do without, and free memory is asked of the driver's own library.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Any, Final

import torch

from headstart.records import Gpu

_NVML: Final = "libnvidia-ml.so.1"


def count_gpus() -> int:
    """How many GPUs this process may use, as CUDA_VISIBLE_DEVICES says; 0 where torch can use none."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def list_gpus() -> tuple[Gpu, ...]:
    """The GPUs that this process may use, by their numbers in it."""
    return tuple(_describe_gpu(index) for index in range(count_gpus()))


def get_gpu_name() -> str:
    """The name of the GPU that this process computes on."""
    return str(torch.cuda.get_device_name())


def supports_bf16() -> bool:
    """Whether the GPU that this process computes on has instructions for products in bf16."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def use_gpu(index: int) -> None:
    """Have this process compute on this GPU wherever it says `cuda` alone."""
    torch.cuda.set_device(index)


def release_memory() -> None:
    """Give back what torch keeps on the GPU of freed tensors, for other processes and for CUDA itself."""
    torch.cuda.empty_cache()  # does nothing before CUDA is used


def start_peak_memory() -> None:
    """Give back what is kept of freed tensors, and start a new peak of the memory reserved on the GPU."""
    release_memory()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.reset_peak_memory_stats()


def read_peak_memory() -> int | None:
    """The most bytes that torch reserved on the GPU since `start_peak_memory`; None where it had none."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return None
    return int(torch.cuda.max_memory_reserved()) or None


def read_joules() -> float | None:
    """What the GPU that this process computes on has used since its driver was loaded; None where there is
    none, or it does not tell, as those before Volta and parts of a GPU."""
    if not count_gpus():
        return None
    properties: Any = torch.cuda.get_device_properties(torch.cuda.current_device())
    count = ctypes.c_ulonglong()
    told = _ask_driver(f"GPU-{getattr(properties, 'uuid', '')}", "nvmlDeviceGetTotalEnergyConsumption", count)
    return count.value / 1000 if told else None  # millijoules


def _describe_gpu(index: int) -> Gpu:
    properties: Any = torch.cuda.get_device_properties(index)
    total = int(properties.total_memory)
    free = _read_free_bytes(f"GPU-{getattr(properties, 'uuid', '')}")
    if free is None:  # at the price of a context
        free = int(torch.cuda.mem_get_info(index)[0])
    return Gpu(name=str(properties.name), total_bytes=total, free_bytes=min(free, total))


class _MemoryInfo(ctypes.Structure):
    """nvmlMemory_t of <nvml.h>."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def _read_free_bytes(uuid: str) -> int | None:
    """What is free on a GPU as the driver's library tells; None where it is not there or knows no such GPU,
    as of a part of one."""
    memory = _MemoryInfo()
    return int(memory.free) if _ask_driver(uuid, "nvmlDeviceGetMemoryInfo", memory) else None


def _ask_driver(uuid: str, question: str, answer: Any) -> bool:
    """Have the driver's library write its answer about a GPU; False where it gives none."""
    library = _load_nvml()
    if library is None or library.nvmlInit_v2():
        return False
    handle = ctypes.c_void_p()
    try:
        failed = library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle))
        failed = failed or getattr(library, question)(handle, ctypes.byref(answer))
    except AttributeError:  # a driver that does not know the question
        return False
    finally:
        library.nvmlShutdown()
    return not failed


def _load_nvml() -> Any:
    with suppress(OSError):
        return ctypes.CDLL(_NVML)
    return None
