"""The update of all members at once is each one's own AdamW of torch's: to the bit in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from adamw_cases import (
    CLIPS,
    TRAININGS,
    TorchAdamW,
    choose_rates,
    clip_as_torch,
    compare_with_torch,
    draw_gradients,
    make_weights,
)
from headstart.engine.optim import batched
from headstart.engine.optim.base import Optimiser
from headstart.engine.optim.batched import BatchedAdamW
from headstart.engine.optim.per_member import PerMemberAdamW
from headstart.engine.weights import Weights

STEPS = 20
UNCLIPPED = (0.0, 0.0, 1e6)


def _compare(dtype: torch.dtype, clips: Sequence[float], *, fused: bool) -> tuple[float, float]:
    weights = make_weights(dtype)
    references = [TorchAdamW(weights, r, each, fused=fused) for r, each in enumerate(TRAININGS)]
    return compare_with_torch(
        BatchedAdamW(weights, TRAININGS), weights, references, clip_as_torch, clips, STEPS
    )


@pytest.mark.parametrize("clips", [UNCLIPPED, CLIPS], ids=["unclipped", "clipped"])
@pytest.mark.parametrize("chunk", [1 << 14, 1000], ids=["one chunk", "many chunks"])
def test_steps_are_to_the_bit_torchs_over_a_single_tensor(
    clips: Sequence[float], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batched, "_CHUNK", chunk)
    assert _compare(torch.float64, clips, fused=False) == (0.0, 0.0)


@pytest.mark.parametrize("clips", [UNCLIPPED, CLIPS], ids=["unclipped", "clipped"])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-14), (torch.float32, 2e-6)])
def test_steps_are_those_of_torchs_fused_kernel_within_rounding(
    clips: Sequence[float], dtype: torch.dtype, bound: float
) -> None:
    gap, norm_gap = _compare(dtype, clips, fused=True)
    assert gap < bound
    assert norm_gap < bound


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
@pytest.mark.parametrize("at", [0, 9], ids=["at first", "in the middle"])
def test_a_norm_that_is_not_finite_leaves_its_member_as_it_was(
    dtype: torch.dtype, bad: float, at: int
) -> None:
    """And the others make their step; afterwards it steps as if nothing had been."""
    weights = make_weights(dtype)
    optimiser = BatchedAdamW(weights, TRAININGS)
    references = [TorchAdamW(weights, r, each, fused=False) for r, each in enumerate(TRAININGS)]
    for step in range(STEPS):
        draw_gradients(weights, step)
        for r, reference in enumerate(references):
            if (r, step) != (1, at):
                reference.take_gradients(weights, r)
                clip_as_torch(reference, CLIPS[r])
                reference.step(choose_rates(step)[r])
        if step == at:
            weights.grads[1, 3] = bad
        norms = optimiser.step(choose_rates(step), CLIPS)
        assert norms.isfinite().tolist() == [True, step != at, True]
        if dtype == torch.float64:
            assert torch.equal(weights.values, torch.stack([reference.row for reference in references]))
        else:
            torch.testing.assert_close(
                weights.values, torch.stack([ref.row for ref in references]), rtol=0, atol=2e-6
            )
    assert [float(optimiser.export_moments(r)["1.step"]) for r in range(3)] == [STEPS, STEPS - 1, STEPS]


def test_an_update_takes_what_the_buffers_hold() -> None:
    """As a captured one does: numbers are written, and nothing else is handed over."""
    stepped, updated = make_weights(torch.float64), make_weights(torch.float64)
    one, other = BatchedAdamW(stepped, TRAININGS), BatchedAdamW(updated, TRAININGS)
    buffers = [x.data_ptr() for x in (other.rates, other.clips, updated.values)]
    for step in range(3):
        draw_gradients(stepped, step)
        draw_gradients(updated, step)
        expected = one.step(choose_rates(step), CLIPS)
        other.rates.copy_(torch.tensor(choose_rates(step), dtype=torch.float64))
        other.clips.copy_(torch.tensor(CLIPS, dtype=torch.float64))
        assert torch.equal(other.update(), expected)
        assert torch.equal(updated.values, stepped.values)
    assert buffers == [x.data_ptr() for x in (other.rates, other.clips, updated.values)]


class _DevicesSeen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers where the tensors of each operation are."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.devices: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        leaves = tree_leaves((args, kwargs, result))
        self.devices |= {x.device.type for x in leaves if isinstance(x, torch.Tensor)}
        return result


def test_an_update_takes_no_number_from_the_host() -> None:
    """A graph cannot capture such a copy."""
    weights = make_weights(torch.float32, count=1, device=torch.device("meta"))
    optimiser = BatchedAdamW(weights, TRAININGS[:1])
    with _DevicesSeen() as seen:
        optimiser.update()
    assert seen.devices == {"meta"}


@pytest.mark.parametrize("kinds", [(PerMemberAdamW, BatchedAdamW), (BatchedAdamW, PerMemberAdamW)])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-14), (torch.float32, 2e-6)])
def test_members_go_on_with_the_moments_of_the_other_optimiser(
    kinds: tuple[type[BatchedAdamW | PerMemberAdamW], ...], dtype: torch.dtype, bound: float
) -> None:
    whole, halted = make_weights(dtype), make_weights(dtype)
    uninterrupted, first = kinds[1](whole, TRAININGS), kinds[0](halted, TRAININGS)
    _step(first, halted, range(4))
    second = kinds[1](halted, TRAININGS)
    for r in range(3):
        second.import_moments(r, {name: x.clone() for name, x in first.export_moments(r).items()})
    _step(second, halted, range(4, 8))
    _step(uninterrupted, whole, range(8))
    assert float((halted.values - whole.values).abs().max()) < bound
    for r in range(3):
        mine, its = second.export_moments(r), uninterrupted.export_moments(r)
        assert {k: (x.shape, x.dtype) for k, x in mine.items()} == {
            k: (x.shape, x.dtype) for k, x in its.items()
        }
        assert all(float((mine[name] - its[name]).abs().max()) < bound for name in its)


def _step(optimiser: Optimiser, weights: Weights, steps: range) -> None:
    for step in steps:
        draw_gradients(weights, step)
        optimiser.step(choose_rates(step), CLIPS)
