"""Torch is asked for one order of sums while such a gradient is computed, and for nothing before or after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from headstart.engine.dropout import DeviceDropout
from headstart.engine.dropout.philox import derive_keys
from headstart.engine.gradient_order import choose_ordered, keep_settings, order_gradient


class _Settings(TorchDispatchMode):
    """Notes the operators that run while one order is asked for, and whether new memory would be filled."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ordered: list[tuple[str, bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.are_deterministic_algorithms_enabled():
            self.ordered.append((func.name(), torch._C._get_deterministic_fill_uninitialized_memory()))
        return func(*args, **(kwargs or {}))


def _gather(x: torch.Tensor) -> torch.Tensor:
    """By an index of each row's own."""
    return torch.gather(x, 1, torch.zeros(2, 3, dtype=torch.int64))


def _attend(x: torch.Tensor) -> torch.Tensor:
    head = x.view(1, 1, 2, 3)
    return F.scaled_dot_product_attention(head, head, head)


@pytest.mark.parametrize(
    ("compute", "kernel"),
    [(_gather, "scatter_add"), (_attend, "scaled_dot_product")],
    ids=["gather", "attention"],
)
def test_its_backward_pass_alone_keeps_to_one_order(
    compute: Callable[[torch.Tensor], torch.Tensor], kernel: str
) -> None:
    """In a training pass on a device."""
    x = torch.randn(2, 3, requires_grad=True)
    dropout = DeviceDropout(torch.from_numpy(derive_keys([0])), torch.zeros(1, dtype=torch.int64))
    with _Settings() as seen:
        with dropout:
            y = compute(2 * x).exp()
        y.sum().backward()  # type: ignore[no-untyped-call]
    names, fills = zip(*seen.ordered, strict=True)
    assert any(kernel in name for name in names)
    assert not any("exp" in name or "mul" in name for name in names)
    assert not any(fills)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch._C._get_deterministic_fill_uninitialized_memory()


def test_what_adds_nothing_up_is_left_alone() -> None:
    with _Settings() as seen:
        order_gradient(2 * torch.ones(2, requires_grad=True)).sum().backward()  # type: ignore[no-untyped-call]
    assert not seen.ordered
    assert order_gradient(torch.ones(2)).grad_fn is None


def test_settings_come_back_after_a_backward_pass_that_fails() -> None:
    x = torch.randn(2, 3, requires_grad=True)
    y = order_gradient(_gather(x))

    def fail(*_: Any) -> None:
        raise MemoryError("halfway")

    y.grad_fn.register_prehook(fail)  # type: ignore[union-attr]
    with pytest.raises(MemoryError), keep_settings():
        y.sum().backward()  # type: ignore[no-untyped-call]
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_users_own_setting_is_kept() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with keep_settings():
            order_gradient(_gather(torch.ones(2, 3, requires_grad=True))).sum().backward()  # type: ignore[no-untyped-call]
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_functions_without_such_a_gradient_are_torchs() -> None:
    assert choose_ordered(torch.matmul) is torch.matmul
    x = torch.randn(4, 3, 5, dtype=torch.float64, requires_grad=True)
    index = torch.zeros(3, 2, dtype=torch.int64).expand(4, -1, -1)
    for gather in (choose_ordered(torch.gather), choose_ordered(torch.Tensor.gather)):
        assert torch.equal(gather(x, -1, index), x.gather(-1, index))
        assert torch.equal(gather(x, dim=-1, index=index), x.gather(-1, index))
