"""Numbers that a model's code makes on the host: for a device they are made there, which needs no copy.

A copy from the host's memory is nothing that a captured CUDA graph can hold; a fill is, and so is a range.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import torch
from torch.overrides import TorchFunctionMode

#: Make tensors of counts and numbers alone, on the host unless they are told where.
_CONSTRUCTORS: Final = (
    torch.arange,
    torch.empty,
    torch.eye,
    torch.full,
    torch.linspace,
    torch.ones,
    torch.zeros,
)


class FilledNumbers(TorchFunctionMode):
    """Context of a forward pass on a device without dropout. `DeviceDropout` does the same by itself."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return choose_filling(func, self.device)(*args, **(kwargs or {}))


def choose_filling(func: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """What does the same as a function of torch's on the device of a pass; for most the function itself."""
    if func is torch.tensor:
        return _create_tensor
    if func in _CONSTRUCTORS:
        return partial(_construct, func, device)
    return _convert_as if func is torch.Tensor.type_as else func


def _construct(
    func: Callable[..., Any], there: torch.device, *args: Any, device: Any = None, **more: Any
) -> Any:
    """A range or the like, on the device of the pass unless the caller names one.

    MPNet's code, in some versions, copies ranges of positions.
    """
    return func(*args, device=there if device is None else device, **more)


def _create_tensor(data: Any, *, device: Any = None, **more: Any) -> torch.Tensor:
    """`torch.tensor`, but a number for another device is filled in there."""
    if isinstance(data, bool | int | float) and device is not None and torch.device(device).type != "cpu":
        more.pop("pin_memory", None)
        return torch.full((), data, device=device, **more)
    return torch.tensor(data, device=device, **more)


def _convert_as(x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """`x.type_as(other)`, but a number that the host has is filled in where `other` is."""
    if torch.compiler.is_compiling():  # which knows the number
        return x.type_as(other)
    if x.dim() == 0 and x.device.type == "cpu" and other.device.type != "cpu":
        return torch.full((), x.item(), dtype=other.dtype, device=other.device)
    return x.type_as(other)
