"""Where and in which number format a run computes; chooses what the hardware does natively."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Literal

import torch

from headstart import cuda
from headstart.cgroups import read_cpu_quota
from headstart.errors import ModelError
from headstart.records import Gpu

Precision = Literal["fp32", "bf16", "fp64"]

#: A product in bf16 must take this share of float32's time at most: the hardware takes about half, emulation
#: more than all of it, so that noise decides nothing.
_MAX_TIME_RATIO = 0.8


def choose_device(setting: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device for `device:` of a study; with several GPUs, the one that this process computes on.

    Raises:
        ModelError: cuda asked for and not there.
    """
    has_gpu = setting != "cpu" and cuda.count_gpus() > 0
    if setting == "cuda" and not has_gpu:
        raise ModelError(
            "cuda requested, but torch finds no CUDA device", where="device", fix="set device: auto"
        )
    _keep_to_quota()
    return torch.device("cuda" if has_gpu else "cpu")


@cache
def _keep_to_quota() -> None:
    """Have torch begin no more threads than a container runs at once: it counts the machine's processors."""
    quota = read_cpu_quota()
    if quota is not None and quota < torch.get_num_threads():
        torch.set_num_threads(quota)


def count_gpus(setting: Literal["auto", "cpu", "cuda"]) -> int:
    """How many GPUs a study with this `device:` trains on; 0 where it trains on a CPU.

    Raises:
        ModelError: as `choose_device`.
    """
    return 0 if choose_device(setting).type == "cpu" else cuda.count_gpus()


def list_gpus(setting: Literal["auto", "cpu", "cuda"]) -> tuple[Gpu, ...]:
    """As `count_gpus`, the GPUs with their memory."""
    return cuda.list_gpus() if count_gpus(setting) else ()


def describe_device(device: torch.device) -> str:
    """What a record says of where a run of this process was computed."""
    return f"cuda: {cuda.get_gpu_name()}" if device.type == "cuda" else str(device)


def choose_precision(setting: Literal["auto", "fp32", "bf16", "fp64"], device: torch.device) -> Precision:
    """bf16 for auto where the hardware multiplies faster in it; weights and moments stay float32 then."""
    if setting != "auto":
        return setting
    is_faster = supports_bf16(device) and (device.type != "cpu" or _is_faster_in_bf16())
    return "bf16" if is_faster else "fp32"


def supports_bf16(device: torch.device) -> bool:
    """Whether the hardware has instructions for products in bf16."""
    if device.type == "cuda":
        return cuda.supports_bf16()
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_tile"))


@cache
def _is_faster_in_bf16() -> bool:
    """Whether products are: a processor may have the instructions, and the library no kernels for them.

    By one thread: on a busy machine several are timed waiting for each other, and either format may win.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _time_products(torch.bfloat16) < _MAX_TIME_RATIO * _time_products(torch.float32)
    finally:
        torch.set_num_threads(threads)


def _time_products(dtype: torch.dtype) -> float:
    """The least time of a few products of a small model's size: 0.27 GFLOP each, some milliseconds in all."""
    rows, weight = torch.ones(512, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
    spans = []
    for _ in range(5):
        began = time.perf_counter()
        torch.mm(rows, weight)
        spans.append(time.perf_counter() - began)
    return min(spans)


def make_autocast_context(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """The context of a forward pass."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def choose_weights_dtype(precision: Precision) -> torch.dtype:
    """What weights and moments are kept in."""
    return torch.float64 if precision == "fp64" else torch.float32


def choose_compute_dtype(precision: Precision) -> torch.dtype:
    """What products with four-bit weights are computed in."""
    return torch.bfloat16 if precision == "bf16" else torch.float32
