"""Clipping inside the optimiser's step is torch's clipping before it; without numbers nothing changes."""

from __future__ import annotations

import pytest
import torch

from headstart.config.study import Training
from headstart.engine.optimiser import adamw
from headstart.engine.step import update


def _leaves(dtype: torch.dtype) -> list[torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    leaves = [torch.randn(n, generator=draws, dtype=dtype).requires_grad_() for n in (1000, 17)]
    for leaf in leaves:
        leaf.grad = torch.randn(len(leaf), generator=draws, dtype=dtype)
    return leaves


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("clip", [0.0, 0.5, 1000.0], ids=["never", "always", "rarely"])
def test_clipped_steps_are_those_after_torchs_clipping(dtype: torch.dtype, bound: float, clip: float) -> None:
    mine, other = _leaves(dtype), _leaves(dtype)
    # Its second moments' epsilon is large, so that the gradient's size matters to the step.
    training = Training(epsilon=1.0, clip=clip)
    optimiser, theirs = adamw(mine, training), adamw(other, training)
    for group in theirs.param_groups:
        group["lr"] = 0.1
    for _ in range(3):
        norm = update(optimiser, rate=0.1, clip=clip)
        expected = torch.nn.utils.clip_grad_norm_(other, clip or float("inf"))
        theirs.step()
        assert norm == pytest.approx(float(expected), rel=1e-5)
        for one, leaf in zip(mine, other, strict=True):
            assert float((one - leaf).detach().abs().max()) < bound
        for leaves in (mine, other):  # what was clipped is clipped no further
            for leaf in leaves:
                leaf.grad = torch.full_like(leaf, 0.3)


def test_a_step_that_needs_no_clipping_forgets_the_last_ones() -> None:
    leaves = _leaves(torch.float32)
    optimiser = adamw(leaves, Training(clip=0.5))
    update(optimiser, rate=0.1, clip=0.5)
    assert optimiser.grad_scale is not None  # type: ignore[attr-defined]
    update(optimiser, rate=0.1, clip=0.0)
    assert optimiser.grad_scale is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_gradient_that_is_no_number_changes_nothing(bad: float) -> None:
    leaves = _leaves(torch.float32)
    before = [leaf.detach().clone() for leaf in leaves]
    assert leaves[0].grad is not None
    leaves[0].grad[3] = bad
    norm = update(adamw(leaves, Training()), rate=0.1, clip=1.0)
    assert not norm < float("inf")
    assert all(torch.equal(leaf, old) for leaf, old in zip(leaves, before, strict=True))
