"""AdamW for R members as one update of all of them, which a CUDA graph can capture; the host reads no number.

Shapes: R members, P trainable weights of one member.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from headstart.config.study import Training
from headstart.engine.optim.base import Moments
from headstart.engine.transfers import send_numbers
from headstart.engine.weights import Weights

#: What torch's `clip_grad_norm_` adds to the norm.
_CLIP_EPSILON = 1e-6
#: Columns that the CPU updates at a time, so that what comes between two operations stays in its cache.
_CHUNK = 1 << 14


class Factors(NamedTuple):
    """What the members' updates are computed with, [R] each: in double precision, or digits are lost."""

    finite: torch.Tensor  #: 0 for a member that is to stay as it was
    scale: torch.Tensor  #: of the gradient, so that its norm is the largest allowed
    decay: torch.Tensor  #: the share of a weight that decay takes
    share: torch.Tensor  #: of the gradient in its mean
    beta_2: torch.Tensor
    share_2: torch.Tensor  #: of the squared gradient in its mean
    step_size: torch.Tensor  #: the rate over the first moment's correction
    root: torch.Tensor  #: of the second moment's correction
    epsilon: torch.Tensor


class BatchedAdamW:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2) with clipping by norm: an `Optimiser`.

    A captured step calls `update` alone and writes `rates` and `clips` before each replay.

    Args:
        weights: of R members.
        trainings: the members' settings, [R]: betas, epsilon and weight decay.
        with_kernel: update with triton's kernel, by default on a GPU; else with torch's operations.
    """

    #: Float64 [R], read by `update`: learning rates, and the largest norms of gradients, 0 for any.
    rates: torch.Tensor
    clips: torch.Tensor

    def __init__(
        self, weights: Weights, trainings: Sequence[Training], *, with_kernel: bool | None = None
    ) -> None:
        self._weights, self._trainings = weights, list(trainings)
        self._with_kernel = weights.values.is_cuda if with_kernel is None else with_kernel
        device = weights.values.device
        self.rates = torch.zeros(len(trainings), dtype=torch.float64, device=device)
        self.clips = torch.zeros_like(self.rates)
        # Float32, as torch's own state has it: what a state on disk holds of either optimiser is the same.
        self._steps = torch.zeros(len(trainings), device=device)
        self._betas = _stack_settings([each.betas for each in trainings], device).T.contiguous()  # [2, R]
        self._shares = 1 - self._betas
        self._epsilons = _stack_settings([each.epsilon for each in trainings], device)
        self._decays = _stack_settings([each.weight_decay for each in trainings], device)
        self._exp_avg, self._exp_avg_sq = torch.zeros_like(weights.values), torch.zeros_like(weights.values)

    def step(self, rates: Sequence[float], clips: Sequence[float]) -> torch.Tensor:
        """Update every member from its gradient; gives the norms before clipping, [R], on the device."""
        self.send(rates, clips)
        return self.update()

    def send(self, rates: Sequence[float], clips: Sequence[float]) -> None:
        """Have `rates` and `clips` hold these when `update` comes to read them."""
        send_numbers(np.array(rates, np.float64), self.rates)
        send_numbers(np.array(clips, np.float64), self.clips)

    def update(self) -> torch.Tensor:
        """The step with what `rates` and `clips` hold: from buffers that stay to buffers that stay.

        Gives the norms before clipping, [R]: memory of its own, which a replay of a captured update
        overwrites.
        """
        norms = _compute_norms(self._weights)
        finite = norms.isfinite()
        self._steps += finite
        factors = self._compute_factors(norms, finite)
        if self._with_kernel:
            self._update_by_kernel(factors)
        else:
            self._update_by_columns(factors)
        return norms

    def _compute_factors(self, norms: torch.Tensor, finite: torch.Tensor) -> Factors:
        corrections = 1 - self._betas ** self._steps.double()
        ratio = self.clips / (norms.double() + _CLIP_EPSILON)
        return Factors(
            finite=finite.double(),
            scale=ratio.masked_fill(self.clips == 0, 1.0).clamp(max=1.0),
            decay=self.rates * self._decays,
            share=self._shares[0],
            beta_2=self._betas[1],
            share_2=self._shares[1],
            step_size=self.rates / corrections[0],
            root=corrections[1].sqrt(),
            epsilon=self._epsilons,
        )

    def _update_by_kernel(self, factors: Factors) -> None:
        # Here: triton is not everywhere where there is a CPU.
        from headstart.engine.optim.kernels import update_members

        weights = self._weights
        update_members(
            weights.values,
            weights.grads,
            self._exp_avg,
            self._exp_avg_sq,
            torch.stack(factors, dim=1).to(weights.values.dtype),
            border=weights.decayed.stop,
            narrow=weights.narrow,
            start=weights.linear.start,
        )

    def _update_by_columns(self, factors: Factors) -> None:
        """The update in torch's operations, some columns at a time."""
        dtype = self._weights.values.dtype
        by_row = Factors(*(factor.to(dtype).unsqueeze(1) for factor in factors))
        kept = (1 - factors.decay).to(dtype).unsqueeze(1)
        for part, kept_of_part in ((self._weights.decayed, kept), (self._weights.exempt, None)):
            for columns in _cut_columns(part):
                self._update_columns(columns, by_row, kept_of_part)
        self._weights.refresh_narrow()

    def _update_columns(self, columns: slice, factors: Factors, kept: torch.Tensor | None) -> None:
        """In the order of operations of torch's AdamW over a single tensor, whose bits these are.

        Args:
            factors: [R, 1] each, in the format of the weights.
            kept: what decay leaves of a weight, [R, 1]; None where nothing decays.
        """
        value, grad = self._weights.values[:, columns], self._weights.grads[:, columns] * factors.scale
        exp_avg, exp_avg_sq = self._exp_avg[:, columns], self._exp_avg_sq[:, columns]
        new_avg = torch.lerp(exp_avg, grad, factors.share)
        new_avg_sq = (exp_avg_sq * factors.beta_2).addcmul_(grad * factors.share_2, grad)
        divisor = new_avg_sq.sqrt().div_(factors.root).add_(factors.epsilon)
        decayed = value if kept is None else value * kept
        new_value = decayed.addcdiv(new_avg * -factors.step_size, divisor)
        for old, new in ((value, new_value), (exp_avg, new_avg), (exp_avg_sq, new_avg_sq)):
            torch.where(factors.finite > 0, new, old, out=old)

    def select(self, rows: Sequence[int], weights: Weights) -> BatchedAdamW:
        """The optimiser of the members at `rows`, whose weights are now those of `weights`."""
        trainings = [self._trainings[r] for r in rows]
        chosen = BatchedAdamW(weights, trainings, with_kernel=self._with_kernel)
        index = torch.tensor(list(rows), device=self._steps.device)
        for name in ("_steps", "_exp_avg", "_exp_avg_sq"):
            torch.index_select(getattr(self, name), 0, index, out=getattr(chosen, name))
        return chosen

    def export_moments(self, r: int) -> Moments:
        """Member r's moments, empty before its first step. Waits for the device to know how many it made."""
        if not self._steps[r]:
            return {}
        moments = {}
        for i, columns in enumerate((self._weights.decayed, self._weights.exempt)):
            # Each with memory of its own: a file of tensors does not take the same one twice.
            moments[f"{i}.step"] = self._steps[r].clone()
            moments[f"{i}.exp_avg"] = self._exp_avg[r, columns]
            moments[f"{i}.exp_avg_sq"] = self._exp_avg_sq[r, columns]
        return moments

    def import_moments(self, r: int, moments: Moments) -> None:
        """Have member r continue from moments that `export_moments` gave."""
        if not moments:
            return
        self._steps[r] = moments["0.step"]
        for i, columns in enumerate((self._weights.decayed, self._weights.exempt)):
            self._exp_avg[r, columns] = moments[f"{i}.exp_avg"].to(self._exp_avg.device)
            self._exp_avg_sq[r, columns] = moments[f"{i}.exp_avg_sq"].to(self._exp_avg.device)


def _stack_settings(numbers: Sequence[object], device: torch.device) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64, device=device)


def _compute_norms(weights: Weights) -> torch.Tensor:
    """The norms of the members' gradients, [R], by way of those of their two parts, as torch has it."""
    parts = [weights.grads[:, columns] for columns in (weights.decayed, weights.exempt)]
    of_parts = [torch.linalg.vector_norm(part, dim=1) for part in parts]
    norms: torch.Tensor = torch.linalg.vector_norm(torch.stack(of_parts, dim=1), dim=1)
    return norms


def _cut_columns(part: slice) -> Iterator[slice]:
    return (slice(start, min(start + _CHUNK, part.stop)) for start in range(part.start, part.stop, _CHUNK))
