"""Where and in which number format a run computes; chooses what the hardware does natively."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from headstart.errors import ModelError

Precision = Literal["fp32", "bf16", "fp64"]


def choose_device(asked: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device for `device:` of a study.

    Raises:
        ModelError: cuda asked for and not there.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            "cuda asked for, and torch sees no such device", where="device", fix="set device: auto"
        )
    use = "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"
    return torch.device(use)


def choose_precision(asked: Literal["auto", "fp32", "bf16", "fp64"], device: torch.device) -> Precision:
    """bf16 for auto where the hardware multiplies in it; weights and moments stay float32 then."""
    if asked != "auto":
        return asked
    return "bf16" if _multiplies_in_bf16(device) else "fp32"


def _multiplies_in_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_tile"))


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """The context of a forward pass."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def weights_dtype(precision: Precision) -> torch.dtype:
    """What weights and moments are kept in."""
    return torch.float64 if precision == "fp64" else torch.float32
