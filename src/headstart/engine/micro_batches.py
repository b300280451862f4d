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
    count = max(len(batches.batches) for batches in step_batches)
    return [_build_micro_batch(members, step_batches, i, context) for i in range(count)]


def _build_micro_batch(
    members: Sequence[Member], step_batches: Sequence[StepBatches], i: int, context: PackContext
) -> MicroBatch:
    """The i-th pass. A member with fewer examples than others repeats some, which have weight 0."""
    train = context.parts["train"]
    # A member with fewer batches than others has none left here: nothing but fill.
    indices = [b.batches[i] if i < len(b.batches) else b.batches[0][:0] for b in step_batches]
    collate = _collate_packed if context.packs_sequences else _collate
    rows, batch = collate(indices, step_batches, context)
    weights = np.zeros((len(members), max(rows)))
    for r, batches in enumerate(step_batches):
        terms = sum(int(train.loss_terms[index].sum()) for index in batches.batches)
        weights[r, : rows[r]] = 1 / max(1, terms)
    keys = tuple(
        DropoutKey(
            member.run.seed, member.micro_batches + i, count, compute_padded_length(train.tokens, index)
        )
        for member, count, index in zip(members, rows, indices, strict=True)
    )
    return MicroBatch(batch, weights, keys)


def _collate(
    indices: Sequence[np.ndarray], step_batches: Sequence[StepBatches], context: PackContext
) -> tuple[list[int], Batch]:
    """A row for each example at the members' `indices`: how many rows are each member's, and the batch."""
    train, rows = context.parts["train"], list(map(len, indices))
    filled = [
        # Filled up with the member's own examples, so that no other's lengths enter its rows.
        np.resize(index if len(index) else batches.batches[0], max(rows))
        for index, batches in zip(indices, step_batches, strict=True)
    ]
    index = np.concatenate(filled)
    return rows, collate(train.tokens, index, train.labels[index], context.pad_id)


def _collate_packed(
    indices: Sequence[np.ndarray], step_batches: Sequence[StepBatches], context: PackContext
) -> tuple[list[int], Batch]:
    """As `_collate`, with several short examples of a member in one row."""
    tokens = context.parts["train"].tokens
    widths = [compute_padded_length(tokens, index) for index in indices]
    packed = [pack_sequences(tokens.lengths, *each) for each in zip(indices, widths, strict=True)]
    rows = list(map(len, packed))
    fill = [[b.batches[0][:1]] * (max(rows) - count) for b, count in zip(step_batches, rows, strict=True)]
    filled = [
        row for packed_rows, fill_rows in zip(packed, fill, strict=True) for row in (*packed_rows, *fill_rows)
    ]
    width = max([*widths, *(compute_padded_length(tokens, row) for fill_rows in fill for row in fill_rows)])
    return rows, collate_packed(tokens, filled, width, context.pad_id)
