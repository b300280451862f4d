"""Token losses: torch's cross-entropy where a target is, and the same in fixed shapes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from headstart.engine import losses as module
from headstart.engine.losses import compute_token_losses, fix_shapes


def _example(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(3)
    logits = 4 * torch.randn(3, 5, 11, generator=draws, dtype=torch.float64)
    targets = torch.randint(-6, 11, (3, 5), generator=draws)
    targets[1] = -100
    return logits.to(dtype).requires_grad_(), targets


def _expect(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    ignored = torch.where(targets < 0, -100, targets)
    return F.cross_entropy(logits.flatten(0, 1), ignored.flatten(), reduction="none").view(targets.shape)


@pytest.mark.parametrize("most_wide", [1 << 26, 25])
def test_fixed_shapes_give_torchs_losses_and_gradients(
    most_wide: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WIDE", most_wide)
    (logits, targets), weights = _example(), torch.arange(15.0, dtype=torch.float64).view(3, 5)
    other = logits.detach().clone().requires_grad_()
    with fix_shapes():
        losses = compute_token_losses(logits, targets)
    expected = _expect(other, targets)
    assert torch.allclose(losses, expected, rtol=0, atol=1e-13)
    (losses * weights).sum().backward()  # type: ignore[no-untyped-call]
    (expected * weights).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert other.grad is not None
    assert torch.allclose(logits.grad, other.grad, rtol=0, atol=1e-13)
    assert not logits.grad[1].any()


def test_with_and_without_fixed_shapes_they_are_the_same() -> None:
    logits, targets = _example()
    with fix_shapes():
        fixed = compute_token_losses(logits, targets)
    assert torch.allclose(fixed, compute_token_losses(logits, targets), rtol=0, atol=1e-13)


def test_narrow_logits_are_widened_and_their_gradient_is_narrow() -> None:
    logits, targets = _example(torch.bfloat16)
    with fix_shapes():
        losses = compute_token_losses(logits, targets)
    assert losses.dtype == torch.float32
    assert torch.allclose(losses, _expect(logits.float(), targets), atol=1e-5)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.dtype == torch.bfloat16


def test_the_gradient_is_that_of_the_loss() -> None:
    logits, targets = _example()
    with fix_shapes():
        assert torch.autograd.gradcheck(lambda x: compute_token_losses(x, targets), logits)
