"""One update of R members is each one's own AdamW after torch's clipping; without numbers nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch.nn.utils import clip_grad_norm_, get_total_norm
from torch.utils._python_dispatch import TorchDispatchMode

from headstart.config.study import Training
from headstart.engine.optim.base import Optimiser
from headstart.engine.optim.create import create_optimiser
from headstart.engine.weights import Weights
from tiny import make_tiny_model, make_tiny_weights

#: Members with settings of their own; the large epsilon makes the gradient's size matter to the step.
TRAININGS = (
    Training(epsilon=1.0),
    Training(weight_decay=0.3, betas=(0.8, 0.99)),
    Training(epsilon=1e-3, weight_decay=0.0),
)
#: Never; always; in some steps and not in others, as gradients shrink.
CLIPS = (0.0, 0.5, 40.0)
STEPS = 12


def _weights(dtype: torch.dtype, count: int = len(TRAININGS)) -> Weights:
    return make_tiny_weights([make_tiny_model(seed=seed).to(dtype) for seed in range(count)])


def _draw_gradients(weights: Weights, step: int) -> None:
    draws = torch.Generator().manual_seed(step)
    for row in weights.grads:
        row.copy_(torch.randn(len(row), generator=draws, dtype=row.dtype) / (step + 1))


def _rates(step: int) -> list[float]:
    return [0.1 * step, 0.01, 0.02 / (step + 1)]


class _TorchAdamW:
    """One member's vectors and torch's fused AdamW over them: what a run alone would use."""

    def __init__(self, weights: Weights, r: int, training: Training) -> None:
        self.leaves = [leaf.detach().clone().requires_grad_() for leaf in weights.create_leaves(r)]
        decays = (training.weight_decay, 0.0)
        groups: Any = [
            {"params": [leaf], "weight_decay": decay} for leaf, decay in zip(self.leaves, decays, strict=True)
        ]
        self.adamw: Any = torch.optim.AdamW(
            groups, lr=0.0, betas=training.betas, eps=training.epsilon, fused=True
        )

    def take_gradients(self, weights: Weights, r: int) -> None:
        """Those of member r of the weights."""
        for leaf, other in zip(self.leaves, weights.create_leaves(r), strict=True):
            assert other.grad is not None
            leaf.grad = other.grad.clone()

    def step(self, rate: float) -> None:
        """At the rate."""
        for group in self.adamw.param_groups:
            group["lr"] = rate
        self.adamw.step()

    @property
    def row(self) -> torch.Tensor:
        """The member's weights, [P]."""
        return torch.cat([leaf.detach() for leaf in self.leaves])

    @property
    def moments(self) -> list[torch.Tensor]:
        """All of them, in the order in which an optimiser exports them."""
        return [value for leaf in self.leaves for value in self.adamw.state[leaf].values()]


#: How a reference clips: gives the norm before.
Clip = Callable[[_TorchAdamW, float], float]


def _clip_as_torch(reference: _TorchAdamW, clip: float) -> float:
    return float(clip_grad_norm_(reference.leaves, clip or float("inf")))


def _clip_by_the_host(reference: _TorchAdamW, clip: float) -> float:
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
    """The largest differences of weights and norms from the references after some steps."""
    weights = _weights(dtype)
    optimiser = create_optimiser(weights, TRAININGS)
    references = [_TorchAdamW(weights, r, training) for r, training in enumerate(TRAININGS)]
    gap = norm_gap = 0.0
    for step in range(STEPS):
        _draw_gradients(weights, step)
        expected = []
        for r, (reference, clip) in enumerate(zip(references, clips, strict=True)):
            reference.take_gradients(weights, r)
            expected.append(clip_reference(reference, clip))
            reference.step(_rates(step)[r])
        norms = optimiser.step(_rates(step), clips)
        assert norms.shape == (len(references),)
        norm_gap = max(norm_gap, *(abs(a / b - 1) for a, b in zip(norms.tolist(), expected, strict=True)))
        gap = max(
            gap,
            *(
                float((row - ref.row).abs().max())
                for row, ref in zip(weights.values, references, strict=True)
            ),
        )
    for r, reference in enumerate(references):
        for mine, its in zip(optimiser.export_moments(r).values(), reference.moments, strict=True):
            gap = max(gap, float((mine - its).abs().max()))
    return gap, norm_gap


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_are_to_the_bit_those_whose_clipping_the_host_computes(dtype: torch.dtype) -> None:
    assert _compare(dtype, _clip_by_the_host, CLIPS) == (0.0, 0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_unclipped_steps_are_to_the_bit_torchs(dtype: torch.dtype) -> None:
    assert _compare(dtype, _clip_as_torch, (0.0, 0.0, 1e6)) == (0.0, 0.0)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_clipped_steps_are_those_after_torchs_clipping(dtype: torch.dtype, bound: float) -> None:
    gap, norm_gap = _compare(dtype, _clip_as_torch, CLIPS)
    assert gap < bound
    assert norm_gap < bound


def test_the_case_clips_always_never_and_sometimes() -> None:
    weights = _weights(torch.float32)
    norms = []
    for step in range(STEPS):
        _draw_gradients(weights, step)
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
    weights = _weights(dtype)
    optimiser, reference = create_optimiser(weights, TRAININGS), _TorchAdamW(weights, 1, TRAININGS[1])
    for step in range(before + 2):
        _draw_gradients(weights, step)
        reference.take_gradients(weights, 1)
        if step == before:
            weights.grads[1, 3] = bad
            was = weights.values.clone()
            norms = optimiser.step(_rates(step), CLIPS)
            assert norms.isfinite().tolist() == [True, False, True]
            assert torch.equal(weights.values[1], was[1])
            assert not torch.equal(weights.values[2], was[2])
        else:
            _clip_by_the_host(reference, CLIPS[1])
            reference.step(_rates(step)[1])
            optimiser.step(_rates(step), CLIPS)
    assert torch.equal(weights.values[1], reference.row)
    for mine, its in zip(optimiser.export_moments(1).values(), reference.moments, strict=True):
        assert torch.equal(mine, its)


def _step(optimiser: Optimiser, weights: Weights, rows: Sequence[int], step: int) -> None:
    """A step of the members at `rows` of the whole pack, with the gradients that they would have there."""
    full = _weights(weights.values.dtype)
    _draw_gradients(full, step)
    weights.grads.copy_(full.grads[list(rows)])
    optimiser.step([_rates(step)[r] for r in rows], [CLIPS[r] for r in rows])


@pytest.mark.parametrize("rows", [[0], [2], [2, 0], [1, 2, 0]])
@pytest.mark.parametrize("copied", [False, True], ids=["selected", "copied"])
def test_selected_members_keep_their_moments(rows: list[int], copied: bool) -> None:
    full, part = _weights(torch.float32), _weights(torch.float32)
    expected, optimiser = create_optimiser(full, TRAININGS), create_optimiser(part, TRAININGS)
    for step in range(4):
        _step(expected, full, range(3), step)
        if step == 2:
            if copied:
                part = part.copy_members(rows)
            else:
                part.select(rows)
            optimiser = optimiser.select(rows, part)
        _step(optimiser, part, rows if step >= 2 else range(3), step)
    assert torch.equal(part.values, full.values[rows])
    for place, r in enumerate(rows):
        mine, its = optimiser.export_moments(place), expected.export_moments(r)
        assert mine.keys() == its.keys()
        assert all(torch.equal(mine[name], its[name]) for name in its)


def test_both_halves_of_a_pack_can_be_selected() -> None:
    full = _weights(torch.float32)
    expected, optimiser = create_optimiser(full, TRAININGS), create_optimiser(full, TRAININGS)
    _step(optimiser, full, range(3), 0)
    for r in range(3):
        expected.import_moments(r, {name: x.clone() for name, x in optimiser.export_moments(r).items()})
    parts = [(rows, full.copy_members(rows)) for rows in ([0], [1, 2])]
    halves = [(rows, weights, optimiser.select(rows, weights)) for rows, weights in parts]
    _step(expected, full, range(3), 1)
    for rows, weights, half in halves:
        _step(half, weights, rows, 1)
        assert torch.equal(weights.values, full.values[rows])


def test_a_member_goes_on_from_moments_that_were_exported() -> None:
    full, other = _weights(torch.float32), _weights(torch.float32)
    optimiser, resumed = create_optimiser(full, TRAININGS), create_optimiser(other, TRAININGS)
    assert optimiser.export_moments(1) == {}
    for step in range(3):
        _step(optimiser, full, range(3), step)
    other.values.copy_(full.values)
    for r in range(3):
        resumed.import_moments(r, {name: x.clone() for name, x in optimiser.export_moments(r).items()})
    for each, weights in ((optimiser, full), (resumed, other)):
        _step(each, weights, range(3), 3)
    assert torch.equal(other.values, full.values)
    assert float(resumed.export_moments(1)["0.step"]) == 4


def test_moments_have_the_names_of_the_state_on_disk() -> None:
    weights = _weights(torch.float32)
    optimiser = create_optimiser(weights, TRAININGS)
    _step(optimiser, weights, range(3), 0)
    sizes = {name: value.numel() for name, value in optimiser.export_moments(2).items()}
    decaying, exempt = weights.decayed.stop, weights.values.shape[1] - weights.decayed.stop
    assert sizes == {
        "0.step": 1, "0.exp_avg": decaying, "0.exp_avg_sq": decaying,
        "1.step": 1, "1.exp_avg": exempt, "1.exp_avg_sq": exempt,
    }  # fmt: skip


class _NumbersRead(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the numbers that the host asks tensors for: on a device it would wait for each."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_reads_no_number(dtype: torch.dtype) -> None:
    weights = _weights(dtype)
    optimiser = create_optimiser(weights, TRAININGS)
    with _NumbersRead() as read:  # type: ignore[no-untyped-call]
        for step in range(3):
            _draw_gradients(weights, step)
            optimiser.step(_rates(step), CLIPS)
        assert read.count == 0
        float(weights.values[0, 0])
    assert read.count == 1, "the counter counts"
