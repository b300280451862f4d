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
    """torch's Muon (Jordan et al. 2024) for matrices, its AdamW for all else: an `Optimiser` of one member.

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
        by_muon, others = [], ([], [])  # type: ignore[var-annotated]
        for name, leaf in self._leaves.items():
            if name in matrices:
                by_muon.append(leaf)
            else:
                others[0 if name in layout.decaying_names else 1].append(leaf)
        decays = (training.weight_decay, 0.0)
        groups = [{"params": some, "weight_decay": d} for some, d in zip(others, decays, strict=True) if some]
        self._muon = torch.optim.Muon(
            by_muon,
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

    def select(self, rows: Sequence[int], weights: Weights) -> MuonWithAdamW:
        """Not of a pack: it has one member."""
        raise NotImplementedError

    def export_moments(self, r: int) -> Moments:
        """Its moments by parameter, empty before the first step."""
        return {
            f"{name}|{key}": value
            for name, leaf in self._leaves.items()
            for key, value in self._get_state(leaf).items()
        }

    def import_moments(self, r: int, moments: Moments) -> None:
        """Continue from moments that `export_moments` gave."""
        for key, value in moments.items():
            name, _, part = key.partition("|")
            leaf = self._leaves[name]
            owner = self._muon if _is_in(leaf, self._muon) else self._adamw
            owner.state[leaf][part] = value.to(leaf.device)

    def _get_state(self, leaf: torch.Tensor) -> dict[str, torch.Tensor]:
        owner = self._muon if _is_in(leaf, self._muon) else self._adamw
        found: dict[str, torch.Tensor] = owner.state.get(leaf, {})
        return found


def _is_in(leaf: torch.Tensor, optimiser: torch.optim.Optimizer) -> bool:
    return any(leaf is one for group in optimiser.param_groups for one in group["params"])
