"""R models as one module, with a leading dimension R in each weight."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from headstart.engine.layers import BatchRows


class Stack(nn.Module):
    """R models as one: a batch of [R*B, ...] in, the model's own output of [R*B, ...] out.

    Parameters bear the names they have in one model below `model.`, with a leading dimension R; those that
    are frozen and equal in all models are shared, and have none. `members` is R.
    """

    def __init__(self, model: nn.Module, rows: BatchRows, members: int) -> None:
        super().__init__()
        self.model, self._rows, self.members = model, rows, members

    @property
    def config(self) -> Any:
        """The members' common configuration."""
        return self.model.config

    def forward(self, input_ids: torch.Tensor, **inputs: Any) -> Any:
        """What the model computes of `input_ids` [R*B, T] and other inputs of as many rows.

        Raises:
            ValueError: rows cannot be shared out, or `labels` came along: the model would take the
                mean over all members' losses, where each needs its own. Compute it from the logits.
        """
        if inputs.get("labels") is not None:
            raise ValueError("a stack computes logits; give each member its own loss from its own rows")
        if len(input_ids) % self.members:
            raise ValueError(f"{len(input_ids)} rows cannot be shared out to {self.members} members")
        self._rows.count = len(input_ids)
        return self.model(input_ids=input_ids, **inputs)


def count_members(module: nn.Module) -> int:
    """How many members a module has: those of a stack, or one, a plain model."""
    return module.members if isinstance(module, Stack) else 1
