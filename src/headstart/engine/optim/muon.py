"""Muon for the matrices of a model's layers and AdamW for the rest, as one optimiser of a plain model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import torch
from torch.nn.utils import get_total_norm

from headstart.config.study import Training
from headstart.engine.optim.base import Moments
from headstart.engine.weights import Weights

_CLIP_EPSILON: Final = 1e-6


class MuonWithAdamW:
    """torch's Muon (Jordan et al. 2024) for matrices, its AdamW for all else: a `FixedOptimiser` of one run.

    Muon's step is scaled to the root mean square of AdamW's (Liu et al. 2025, "Muon is scalable for LLM
    training", section 2.2), so that one learning rate serves both.

    Args:
        weights: of a plain model.
        matrices: the names of the parameters that Muon updates, each a matrix.
    """

    def __init__(
        self, weights: Weights, training: Training, matrices: Collection[str], momentum: float
    ) -> None:
        self._weights = weights
        layout = weights.layout
        leaves = layout.view_parameters(weights.values[0])
        grads = layout.view_parameters(weights.grads[0])
        self._leaves = {name: leaf.detach().requires_grad_() for name, leaf in leaves.items()}
        for name, leaf in self._leaves.items():
            leaf.grad = grads[name]
        self._matrices = frozenset(matrices)
        others = self._leaves.keys() - self._matrices
        decaying = [leaf for name, leaf in self._leaves.items() if name in others & layout.decaying_names]
        exempt = [leaf for name, leaf in self._leaves.items() if name in others - layout.decaying_names]
        sides = ((decaying, training.weight_decay), (exempt, 0.0))
        groups = [{"params": some, "weight_decay": decay} for some, decay in sides if some]
        self._muon = torch.optim.Muon(
            [leaf for name, leaf in self._leaves.items() if name in self._matrices],
            lr=0.0,
            weight_decay=training.weight_decay,
            momentum=momentum,
            adjust_lr_fn="match_rms_adamw",
        )
        self._adamw = torch.optim.AdamW(
            groups, lr=0.0, betas=training.betas, eps=training.epsilon, fused=True
        )

    def step(self, rates: Sequence[float], clips: Sequence[float]) -> torch.Tensor:
        """Update from the gradient, unless that is not finite; gives its norm before clipping, [1]."""
        gradient = self._weights.grads[0]
        norm = get_total_norm([gradient])
        if not bool(norm.isfinite()):
            return norm.unsqueeze(0)
        if clips[0]:
            gradient.mul_((clips[0] / (norm + _CLIP_EPSILON)).clamp(max=1.0))
        for optimiser in (self._muon, self._adamw):
            for group in optimiser.param_groups:
                group["lr"] = rates[0]
            optimiser.step()  # type: ignore[no-untyped-call]
        self._weights.refresh_narrow()
        return norm.unsqueeze(0)

    def export_moments(self, r: int) -> Moments:
        """Its moments by parameter, empty before the first step."""
        return {
            f"{name}|{key}": value
            for name, leaf in self._leaves.items()
            for key, value in self._get_owner(name).state.get(leaf, {}).items()
        }

    def import_moments(self, r: int, moments: Moments) -> None:
        """Continue from moments that `export_moments` gave."""
        for key, value in moments.items():
            name, _, part = key.partition("|")
            leaf = self._leaves[name]
            self._get_owner(name).state[leaf][part] = value.to(leaf.device)

    def _get_owner(self, name: str) -> torch.optim.Optimizer:
        """The optimiser that updates a parameter."""
        return self._muon if name in self._matrices else self._adamw
