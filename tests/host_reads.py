"""Refuses operators that have the host wait for a device, which no captured CUDA graph can hold."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

#: How torch marks what gives the host a value, and what has a shape that values decide.
_TAGS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
#: With indices that are truths, these look where they are true.
_INDEXING = ("aten::index.Tensor", "aten::index_put", "aten::_index_put_impl_")
_COPIES = ("aten::_to_copy", "aten::copy_")


class HostReadError(AssertionError):
    """The host would have waited for the device."""


class ForbidHostReads(TorchDispatchMode):
    """Raises `HostReadError` at values of a tensor (`item`, `bool(x)`, `equal`), shapes that depend on them
    (`nonzero`, a boolean index, `repeat_interleave` by a tensor), and copies between devices.

    A number that the CPU holds may be read while the model is elsewhere. On a CPU nothing is elsewhere: which
    copies there would be, a model on the meta device shows.
    """

    def __init__(self, device: str = "cpu") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._device = device

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        tensors = _list_tensors((args, kwargs))
        is_elsewhere = any(tensor.device.type == self._device for tensor in tensors)
        if is_elsewhere and _reads_values(func, tensors):
            raise HostReadError(f"{func.name()} has the host wait")
        result = func(*args, **(kwargs or {}))
        devices = sorted({tensor.device.type for tensor in [*tensors, *_list_tensors(result)]})
        if func.name().startswith(_COPIES) and len(devices) > 1:
            raise HostReadError(f"{func.name()} copies between {devices}")
        return result


def _list_tensors(values: Any) -> list[torch.Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


def _reads_values(func: Any, tensors: list[torch.Tensor]) -> bool:
    if func.name().startswith(_INDEXING):
        return any(tensor.dtype in (torch.bool, torch.uint8) for tensor in tensors[1:])
    return bool(_TAGS & set(func.tags))
