"""Members with settings of their own, gradients to step with, and torch's AdamW for each: what optimisers are
compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_
from torch.utils._python_dispatch import TorchDispatchMode

from headstart.config.study import Training
from headstart.engine.optim.base import Optimiser
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


def make_weights(
    dtype: torch.dtype, count: int = len(TRAININGS), device: torch.device | None = None
) -> Weights:
    """The weights of so many members."""
    return make_tiny_weights([make_tiny_model(seed=seed).to(device, dtype) for seed in range(count)])


def draw_gradients(weights: Weights, step: int) -> None:
    """Fill the members' gradients with random numbers, smaller at each step."""
    draws = torch.Generator().manual_seed(step)
    for row in weights.grads:
        row.copy_(torch.randn(len(row), generator=draws, dtype=row.dtype) / (step + 1))


def choose_rates(step: int) -> list[float]:
    """The members' learning rates in a step."""
    return [0.1 * step, 0.01, 0.02 / (step + 1)]


def step_members(optimiser: Optimiser, weights: Weights, rows: Sequence[int], step: int) -> None:
    """A step of the members at `rows` of the whole pack, with the gradients that they would have there."""
    full = make_weights(weights.values.dtype)
    draw_gradients(full, step)
    weights.grads.copy_(full.grads[list(rows)])
    optimiser.step([choose_rates(step)[r] for r in rows], [CLIPS[r] for r in rows])


class TorchAdamW:
    """One member's vectors and torch's AdamW over them, by default the fused one, which a run alone uses."""

    def __init__(self, weights: Weights, r: int, training: Training, *, fused: bool = True) -> None:
        self.leaves = [leaf.detach().clone().requires_grad_() for leaf in weights.create_leaves(r)]
        decays = (training.weight_decay, 0.0)
        groups: Any = [
            {"params": [leaf], "weight_decay": decay} for leaf, decay in zip(self.leaves, decays, strict=True)
        ]
        self.adamw: Any = torch.optim.AdamW(
            groups, lr=0.0, betas=training.betas, eps=training.epsilon, fused=fused, foreach=False
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
Clip = Callable[[TorchAdamW, float], float]


def clip_as_torch(reference: TorchAdamW, clip: float) -> float:
    """By torch's own function."""
    return float(clip_grad_norm_(reference.leaves, clip or float("inf")))


def compare_with_torch(
    optimiser: Optimiser,
    weights: Weights,
    references: Sequence[TorchAdamW],
    clip_reference: Clip,
    clips: Sequence[float],
    steps: int,
) -> tuple[float, float]:
    """The largest differences of weights, moments and norms from the references after some steps."""
    gap = norm_gap = 0.0
    for step in range(steps):
        draw_gradients(weights, step)
        expected = []
        for r, (reference, clip) in enumerate(zip(references, clips, strict=True)):
            reference.take_gradients(weights, r)
            expected.append(clip_reference(reference, clip))
            reference.step(choose_rates(step)[r])
        norms = optimiser.step(choose_rates(step), clips)
        assert norms.shape == (len(references),)
        norm_gap = max(norm_gap, *(abs(a / b - 1) for a, b in zip(norms.tolist(), expected, strict=True)))
        pairs = zip(weights.values, references, strict=True)
        gap = max(gap, *(float((row - reference.row).abs().max()) for row, reference in pairs))
    for r, reference in enumerate(references):
        for mine, its in zip(optimiser.export_moments(r).values(), reference.moments, strict=True):
            gap = max(gap, float((mine - its).abs().max()))
    return gap, norm_gap


class NumbersRead(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the numbers that the host asks tensors for: on a device it would wait for each."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))
