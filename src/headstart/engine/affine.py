"""A layer of constants, (x - shift) * factor: the scale of a LoRA update, the centring of a probe's features.

Nothing in it trains. In a stack each member has constants of its own.
"""

from __future__ import annotations

import torch
from torch import nn


class FixedAffine(nn.Module):
    """(x - shift) * factor, in the format of x.

    `factor` and `shift` have shape [] or [D], the width of x [..., D]; there may be no shift.
    """

    factor: torch.Tensor
    shift: torch.Tensor | None

    def __init__(self, factor: torch.Tensor, shift: torch.Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("factor", factor, persistent=False)
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centred = x if self.shift is None else x - self.shift
        return (centred * self.factor).to(x.dtype)
