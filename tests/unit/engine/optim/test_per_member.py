"""One update of R members is each one's own AdamW after torch's clipping; without numbers nothing changes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch.nn.utils import get_total_norm

from adamw_cases import (
    CLIPS,
    TRAININGS,
    Clip,
    TorchAdamW,
    choose_rates,
    clip_as_torch,
    compare_with_torch,
    draw_gradients,
    make_weights,
)
from headstart.engine.optim.per_member import PerMemberAdamW, create_adamw, step_clipped

STEPS = 12


def _clip_by_the_host(reference: TorchAdamW, clip: float) -> float:
    """The norm read by the host, the quotient in Python's numbers: how a member was clipped at first."""
    norm = float(get_total_norm([leaf.grad for leaf in reference.leaves if leaf.grad is not None]))
    scale = max(1.0, (norm + 1e-6) / clip) if clip else 1.0
    reference.adamw.grad_scale = None
    if reference.leaves[0].dtype == torch.float32:
        reference.adamw.grad_scale = torch.tensor(scale) if scale != 1 else None
    else:
        for leaf in reference.leaves:
            assert leaf.grad is not None
            leaf.grad.div_(scale)
    return norm


def _compare(dtype: torch.dtype, clip_reference: Clip, clips: Sequence[float]) -> tuple[float, float]:
    weights = make_weights(dtype)
    references = [TorchAdamW(weights, r, training) for r, training in enumerate(TRAININGS)]
    return compare_with_torch(
        PerMemberAdamW(weights, TRAININGS), weights, references, clip_reference, clips, STEPS
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_are_to_the_bit_those_whose_clipping_the_host_computes(dtype: torch.dtype) -> None:
    assert _compare(dtype, _clip_by_the_host, CLIPS) == (0.0, 0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_unclipped_steps_are_to_the_bit_torchs(dtype: torch.dtype) -> None:
    assert _compare(dtype, clip_as_torch, (0.0, 0.0, 1e6)) == (0.0, 0.0)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_clipped_steps_are_those_after_torchs_clipping(dtype: torch.dtype, bound: float) -> None:
    gap, norm_gap = _compare(dtype, clip_as_torch, CLIPS)
    assert gap < bound
    assert norm_gap < bound


def test_the_case_clips_always_never_and_sometimes() -> None:
    weights = make_weights(torch.float32)
    norms = []
    for step in range(STEPS):
        draw_gradients(weights, step)
        norms.append(weights.grads.norm(dim=1))
    assert all((norm > CLIPS[1]).all() for norm in norms)
    assert {bool(norm[2] > CLIPS[2]) for norm in norms} == {True, False}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
@pytest.mark.parametrize("before", [0, 2], ids=["at first", "later"])
def test_a_norm_that_is_not_finite_leaves_its_member_as_it_was(
    dtype: torch.dtype, bad: float, before: int
) -> None:
    """And the others make their step; afterwards it steps as if nothing had been."""
    weights = make_weights(dtype)
    optimiser, reference = PerMemberAdamW(weights, TRAININGS), TorchAdamW(weights, 1, TRAININGS[1])
    for step in range(before + 2):
        draw_gradients(weights, step)
        reference.take_gradients(weights, 1)
        if step == before:
            weights.grads[1, 3] = bad
            was = weights.values.clone()
            norms = optimiser.step(choose_rates(step), CLIPS)
            assert norms.isfinite().tolist() == [True, False, True]
            assert torch.equal(weights.values[1], was[1])
            assert not torch.equal(weights.values[2], was[2])
        else:
            _clip_by_the_host(reference, CLIPS[1])
            reference.step(choose_rates(step)[1])
            optimiser.step(choose_rates(step), CLIPS)
    assert torch.equal(weights.values[1], reference.row)
    for mine, its in zip(optimiser.export_moments(1).values(), reference.moments, strict=True):
        assert torch.equal(mine, its)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_who_has_no_gradient_of_a_shared_run_clips_nothing(dtype: torch.dtype) -> None:
    """A process of a group, all of whose rows of parameters are others'."""
    adamw = create_adamw([], [], TRAININGS[0])
    step_clipped(adamw, torch.tensor(3.0, dtype=dtype), 1e-3, CLIPS[1])
    assert not adamw.state
