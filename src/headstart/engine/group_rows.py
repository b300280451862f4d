"""Shares a forward pass out among the processes of a group: each computes its own rows, or batches.

Shapes: B rows of the whole batch, b of this process, T tokens of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import torch

from headstart.data.batches import Batch
from headstart.engine.group import Group
from headstart.engine.step import MicroBatch


def share_rows(micro_batch: MicroBatch, group: Group) -> MicroBatch:
    """This process's rows of a pass of one member, with their weights in the whole batch and their own masks.

    A process for which no row is left computes the first one, which weighs nothing: all of them make as many
    passes, for weights may be gathered in each.
    """
    (key,) = micro_batch.keys
    start, stop = group.share(key.rows)
    weights = micro_batch.weights[:, start:stop]
    if start == stop:
        start, stop = 0, 1
        weights = 0 * micro_batch.weights[:, :1]
    return MicroBatch(
        _select_rows(micro_batch.batch, slice(start, stop)), weights, (replace(key, share=(start, stop)),)
    )


def deal_batches(batches: Sequence[np.ndarray], group: Group) -> list[np.ndarray]:
    """This process's batches of an evaluation, as many as the others': where too few are left, the first."""
    own = list(batches[group.rank :: group.size])
    rounds = -(-len(batches) // group.size)
    return own + [batches[0]] * (rounds - len(own))


def collect_parts(parts: Sequence[torch.Tensor], count: int, group: Group) -> list[torch.Tensor]:
    """What all processes computed of `count` batches, in the batches' order, on the CPU."""
    dealt = group.gather([part.cpu() for part in parts])
    return [dealt[i % group.size][i // group.size] for i in range(count)]


def _select_rows(batch: Batch, rows: slice) -> Batch:
    """Some rows of a batch, still padded as all of it is. Labels of packed rows are no rows'."""
    parts = {each.name: getattr(batch, each.name) for each in fields(batch)}
    count = len(batch.input_ids)
    return Batch(**{name: x[rows] if x is not None and len(x) == count else x for name, x in parts.items()})
