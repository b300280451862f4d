"""Puts the members' batches of one step side by side: what each learns from depends on no other member.

Shapes: R members, B rows of each, T tokens. Rows are grouped by member: [R*B, T].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.data.batches import Batch, collate, collate_packed, compute_padded_length, pack_sequences
from headstart.engine.dropout import DropoutKey
from headstart.engine.member import Member, PackContext, StepBatches
from headstart.engine.step import MicroBatch


def build_micro_batches(
    members: Sequence[Member], step_batches: Sequence[StepBatches], context: PackContext
) -> list[MicroBatch]:
    """The forward passes of one step, from each member's batches for it, [R].

    The i-th batches of all members make the i-th pass.
    """
    return [
        _build_micro_batch(members, step_batches, i, context)
        for i in range(count_micro_batches(step_batches))
    ]


def count_micro_batches(step_batches: Sequence[StepBatches]) -> int:
    """How many forward passes a step of members with these batches is made of."""
    return max(len(batches.batches) for batches in step_batches)


def select_micro_batch(step_batches: Sequence[StepBatches], i: int) -> list[np.ndarray]:
    """The examples of each member's i-th batch of a step; none where it has fewer batches than others."""
    nothing = np.empty(0, np.int64)
    return [b.batches[i] if i < len(b.batches) else nothing for b in step_batches]


def compute_row_weights(
    step_batches: Sequence[StepBatches], rows: Sequence[int], most: int, loss_terms: np.ndarray
) -> np.ndarray:
    """The weights of rows in the losses, [R, `most`], of which each member fills its own `rows`.

    One over all terms of the member's step; 0 for rows that only fill it up.
    """
    weights = np.zeros((len(rows), most))
    for r, batches in enumerate(step_batches):
        terms = sum(int(loss_terms[index].sum()) for index in batches.batches)
        weights[r, : rows[r]] = 1 / max(1, terms)
    return weights


def _build_micro_batch(
    members: Sequence[Member], step_batches: Sequence[StepBatches], i: int, context: PackContext
) -> MicroBatch:
    """The i-th pass. A member with fewer examples than others repeats some, which have weight 0."""
    train, indices = context.parts["train"], select_micro_batch(step_batches, i)
    # Here whoever has ended has left: every member has a batch of its own.
    fill = [batches.batches[0] for batches in step_batches]
    collate = collate_packed_rows if context.packs_sequences else _collate
    rows, batch = collate(indices, fill, context)
    weights = compute_row_weights(step_batches, rows, max(rows), train.loss_terms)
    keys = tuple(
        DropoutKey(
            member.run.seed, member.micro_batches + i, count, compute_padded_length(train.tokens, index)
        )
        for member, count, index in zip(members, rows, indices, strict=True)
    )
    return MicroBatch(batch, weights, keys)


def fill_rows(indices: Sequence[np.ndarray], fill: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """`rows` examples of each member, [R * rows]: those at its index over and over, or its fill."""
    filled = [np.resize(index if len(index) else own, rows) for index, own in zip(indices, fill, strict=True)]
    return np.concatenate(filled)


def _collate(
    indices: Sequence[np.ndarray], fill: Sequence[np.ndarray], context: PackContext
) -> tuple[list[int], Batch]:
    """A row for each example at the members' `indices`: how many rows are each member's, and the batch."""
    train, rows = context.parts["train"], list(map(len, indices))
    index = fill_rows(indices, fill, max(rows))
    return rows, collate(train.tokens, index, train.labels[index], context.pad_id)


def collate_packed_rows(
    indices: Sequence[np.ndarray], fill: Sequence[np.ndarray], context: PackContext, multiple: int = 1
) -> tuple[list[int], Batch]:
    """As `_collate`, with several short examples of a member in one row, and a `multiple` of rows each."""
    tokens = context.parts["train"].tokens
    widths = [compute_padded_length(tokens, index) for index in indices]
    packed = [pack_sequences(tokens.lengths, *each) for each in zip(indices, widths, strict=True)]
    rows = list(map(len, packed))
    most = -(-max(rows) // multiple) * multiple
    more = [[own[:1]] * (most - count) for own, count in zip(fill, rows, strict=True)]
    filled = [row for own, extra in zip(packed, more, strict=True) for row in (*own, *extra)]
    width = max([*widths, *(compute_padded_length(tokens, row) for extra in more for row in extra)])
    return rows, collate_packed(tokens, filled, width, context.pad_id)
