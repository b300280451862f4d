"""AdamW for R members as R of torch's own fused optimisers, behind one object; waits for no device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.utils import get_total_norm

from headstart.config.study import Training
from headstart.engine.optim.base import Moments
from headstart.engine.weights import Weights

#: What torch's `clip_grad_norm_` adds to the norm.
_CLIP_EPSILON = 1e-6


class PerMemberAdamW:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2) with clipping by norm: an `Optimiser`.

    Args:
        weights: of R members.
        trainings: the members' settings, [R]: betas, epsilon and weight decay.
    """

    def __init__(self, weights: Weights, trainings: Sequence[Training]) -> None:
        self._weights, self._trainings = weights, list(trainings)
        self._adamws = [_create_adamw(weights.create_leaves(r), each) for r, each in enumerate(trainings)]

    def step(self, rates: Sequence[float], clips: Sequence[float]) -> torch.Tensor:
        """Update every member from its gradient; gives the norms before clipping, [R], on the device."""
        norms = torch.stack([_update(*each) for each in zip(self._adamws, rates, clips, strict=True)])
        self._weights.refresh_narrow()
        return norms

    def select(self, rows: Sequence[int], weights: Weights) -> PerMemberAdamW:
        """The optimiser of the members at `rows`, whose weights are now those of `weights`."""
        chosen = PerMemberAdamW(weights, [self._trainings[r] for r in rows])
        for place, r in enumerate(rows):
            chosen.import_moments(place, self.export_moments(r))
        return chosen

    def export_moments(self, r: int) -> Moments:
        """Member r's moments, empty before its first step."""
        state = self._adamws[r].state
        return {
            f"{i}.{name}": value
            for i, leaf in enumerate(_leaves(self._adamws[r]))
            for name, value in state.get(leaf, {}).items()
        }

    def import_moments(self, r: int, moments: Moments) -> None:
        """Have member r continue from moments that `export_moments` gave."""
        leaves = _leaves(self._adamws[r])
        for key, value in moments.items():
            i, _, name = key.partition(".")
            leaf = leaves[int(i)]
            self._adamws[r].state[leaf][name] = value.to(leaf.device)


def _create_adamw(leaves: Sequence[torch.Tensor], training: Training) -> torch.optim.AdamW:
    """The first leaf decays, the second does not."""
    decaying, exempt = leaves
    return create_adamw([decaying], [exempt], training)


def create_adamw(
    decaying: Sequence[torch.Tensor], exempt: Sequence[torch.Tensor], training: Training
) -> torch.optim.AdamW:
    """Of leaves that decay and of others. The rate is 0 until a step sets it."""
    decays = (training.weight_decay, 0.0)
    groups = [
        {"params": list(leaves), "weight_decay": d}
        for leaves, d in zip((decaying, exempt), decays, strict=True)
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=training.betas, eps=training.epsilon, fused=True)


def _leaves(adamw: torch.optim.AdamW) -> list[torch.Tensor]:
    return [leaf for group in adamw.param_groups for leaf in group["params"]]


def _list_gradients(adamw: torch.optim.AdamW) -> list[torch.Tensor]:
    return [leaf.grad for leaf in _leaves(adamw) if leaf.grad is not None]


def _update(adamw: torch.optim.AdamW, rate: float, clip: float) -> torch.Tensor:
    """Clip one member's gradient to norm `clip`, step at `rate`; gives the norm before, []."""
    norm = get_total_norm(_list_gradients(adamw))
    step_clipped(adamw, norm, rate, clip)
    return norm


def step_clipped(adamw: torch.optim.AdamW, norm: torch.Tensor, rate: float, clip: float) -> None:
    """The step at `rate`, gradients of norm `norm` [] clipped to norm `clip`; none where it is not finite.

    The two attributes are what torch's `GradScaler` sets: the fused kernel reads them where the weights are,
    divides gradients by the one without a pass of its own and does nothing where the other is 1. So the host
    need not know the norm.
    """
    adamw.found_inf = (~norm.isfinite()).float()  # type: ignore[attr-defined]
    adamw.grad_scale = None  # type: ignore[attr-defined]
    if clip:
        # In double precision: a quotient of float32 numbers may round to another float32.
        scale = ((norm.double() + _CLIP_EPSILON) / clip).clamp(min=1.0)
        if norm.dtype == torch.float64:  # as gradients are; the kernel's number is float32
            for gradient in _list_gradients(adamw):
                gradient.div_(scale)
        else:
            adamw.grad_scale = scale.float()  # type: ignore[attr-defined]
    for group in adamw.param_groups:
        group["lr"] = rate
    adamw.step()
