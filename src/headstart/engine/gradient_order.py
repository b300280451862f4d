"""Has gradients of attention, embeddings and gathers added up in one order, so that their bits come again.

On a GPU torch adds some up in the order in which blocks come. Of attention and odd gathers it has others
that keep to one order. They are asked for around such an operator alone: asked for everywhere, torch would
refuse what needs none of it, matrix products among it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from headstart.engine.gathers import gather_shared, shares_index
from headstart.engine.lookup import look_up

#: Backward passes of which torch has one in order, as it begins their names.
_IN_ORDER: Final = ("ScaledDotProduct", "GatherBackward")
#: Whether one order is kept, whether other operators are only warned of, whether new memory is filled.
_Settings = tuple[bool, bool, bool]
_ONE_ORDER: Final[_Settings] = (True, False, False)


class OrderedGradients(TorchFunctionMode):
    """Context of a forward pass whose gradients come again. `DeviceDropout` does the same by itself."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        output = choose_ordered(func)(*args, **(kwargs or {}))
        return order_gradient(output) if func is F.scaled_dot_product_attention else output


def choose_ordered(func: Callable[..., Any]) -> Callable[..., Any]:
    """What does as a function of torch's does, its gradient in one order; for most the function itself."""
    if func is F.embedding:
        return look_up
    return _gather if func is torch.gather or func is torch.Tensor.gather else func


def _gather(x: torch.Tensor, dim: int, index: torch.Tensor, **more: Any) -> torch.Tensor:
    """`torch.gather`."""
    if x.requires_grad and shares_index(x, dim, index):
        return gather_shared(x, index[0])
    return order_gradient(torch.gather(x, dim, index, **more))


def order_gradient(output: torch.Tensor) -> torch.Tensor:
    """What torch's attention or gather has just given; its backward pass will add up in one order."""
    node: Any = output.grad_fn
    if node is not None and node.name().startswith(
        "SliceBackward"
    ):  # of a head that was widened for a kernel
        node = node.next_functions[0][0]
    if node is not None and node.name().startswith(_IN_ORDER):
        order = _Order()
        node.register_prehook(order.begin)
        node.register_hook(order.end)
    return output


class _Order:
    """Torch's settings from just before to just after one backward pass."""

    _before: _Settings

    def begin(self, grad_outputs: Any) -> None:
        self._before = _read_settings()
        _write_settings(_ONE_ORDER)

    def end(self, grad_inputs: Any, grad_outputs: Any) -> None:
        _write_settings(self._before)


@contextmanager
def keep_settings() -> Iterator[None]:
    """Torch's settings are afterwards what they were before, should a backward pass fail halfway."""
    before = _read_settings()
    try:
        yield
    finally:
        if _read_settings() != before:
            _write_settings(before)


def _read_settings() -> _Settings:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch._C._get_deterministic_fill_uninitialized_memory(),
    )


def _write_settings(settings: _Settings) -> None:
    is_on, warns_only, fills = settings
    torch.use_deterministic_algorithms(is_on, warn_only=warns_only)
    torch._C._set_deterministic_fill_uninitialized_memory(fills)
