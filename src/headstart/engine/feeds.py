"""What changes from step to step, sent to fixed buffers on the device: the only thing that a step sends.

Of a study's examples go their places; of conversations that share rows, which are put together on the host,
their tokens. Nothing here waits for the device.

Shapes: R members, B rows of each in every step, T tokens, K of them whose logits are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch

from headstart.data.batches import LENGTHS_PER_OCTAVE, compute_padded_length
from headstart.engine.dropout.philox import PASSES
from headstart.engine.member import Member, PackContext, StepBatches
from headstart.engine.micro_batches import (
    collate_packed_rows,
    compute_row_weights,
    fill_rows,
    select_micro_batch,
)
from headstart.engine.staged import DeviceBatch, StagedExamples, choose_kept_span
from headstart.engine.transfers import make_buffers, send_numbers
from headstart.errors import TrainingError

#: Steps from which on the padding that twice the lengths save outweighs their captures: a capture costs some
#: 20 steps, twice the lengths are some 12 more, and save 4% of each step.
_STEPS_FOR_MANY_LENGTHS: Final = 6_000


@dataclass(frozen=True)
class StepShape:
    """All that the shapes of a forward pass depend on, within one pack."""

    rows: int
    tokens: int
    kept: int


@dataclass(frozen=True)
class FedBatch:
    """A forward pass of R members: R*B rows, their `weights` [R, B] in the losses, each member's number of
    passes before it [R], and which logits are kept, [K], where not all are."""

    batch: DeviceBatch
    weights: torch.Tensor
    passes: torch.Tensor
    positions: torch.Tensor | None


class Feed(Protocol):
    """Sends the batches of a pack to buffers, from which the step reads them."""

    def send(self, step_batches: Sequence[StepBatches], i: int) -> StepShape:
        """Send the i-th forward pass of a step; it is read until the next is sent."""

    def read(self, shape: StepShape) -> FedBatch:
        """What was sent last, which has this shape: a pure function of the buffers."""


def create_feed(members: Sequence[Member], context: PackContext, staged: StagedExamples) -> Feed:
    """The feed that suits how a pack's rows are made.

    Raises:
        TrainingError: a member would make more forward passes than dropout masks can be told apart.
    """
    for member in members:
        _check_passes(member)
    return PackedFeed(members, context) if context.packs_sequences else IndexFeed(members, context, staged)


def _check_passes(member: Member) -> None:
    passes = member.total_steps * member.run.training.accumulation
    if passes > PASSES:
        raise TrainingError(
            f"{passes:,} forward passes",
            where=f"run {member.run.key}",
            expected=f"at most {PASSES:,} on a GPU",
            fix="lower training.epochs or training.steps, or raise training.batch_size",
        )


def _find_shortest(members: Sequence[Member], context: PackContext) -> list[np.ndarray]:
    """Each member's shortest example, [R] of [1]: what fills up one that stays without batches."""
    lengths = context.parts["train"].tokens.lengths
    return [member.index[[np.argmin(lengths[member.index])]] for member in members]


def _choose_fill(step_batches: Sequence[StepBatches], shortest: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The examples that fill each member up, [R]: its own, so that no other's lengths enter its rows."""
    return [b.batches[0] if b.batches else own for b, own in zip(step_batches, shortest, strict=True)]


def choose_lengths_per_octave(steps: int) -> int:
    """How many lengths batches may have between a power of two and the next, where so many steps are left.

    Half of a CPU's where a shape would come too seldom to be worth its capture: padding is a fourth then at
    most, and an eighth on average.
    """
    return LENGTHS_PER_OCTAVE if steps >= _STEPS_FOR_MANY_LENGTHS else LENGTHS_PER_OCTAVE // 2


class IndexFeed:
    """Sends R*B places of examples with their weights; the rest lies on the device.

    B is the batch size, or where nobody has so many examples, the most that anybody has: so a short batch at
    an epoch's end is no other shape, but rows that weigh nothing.
    """

    def __init__(self, members: Sequence[Member], context: PackContext, staged: StagedExamples) -> None:
        self._members, self._context, self._staged = members, context, staged
        self._shortest = _find_shortest(members, context)
        self._per_octave = choose_lengths_per_octave(max(m.total_steps - m.steps for m in members))
        self._rows = max(min(m.run.training.batch_size, len(m.index)) for m in members)
        count = len(members)
        # One buffer, so that a step is one copy: R*B places, R*B weights by their bits, R passes, one start.
        self._buffer = torch.zeros(
            2 * count * self._rows + count + 1, dtype=torch.int64, device=context.device
        )

    def send(self, step_batches: Sequence[StepBatches], i: int) -> StepShape:
        """As `Feed`."""
        train, members = self._context.parts["train"], self._members
        own = select_micro_batch(step_batches, i)
        index = fill_rows(own, _choose_fill(step_batches, self._shortest), self._rows)
        tokens = compute_padded_length(train.tokens, index, self._per_octave)
        start, kept = 0, tokens
        if self._staged.spans is not None:
            start, kept = choose_kept_span(self._staged.spans[index], tokens)
        weights = compute_row_weights(step_batches, list(map(len, own)), self._rows, train.loss_terms)
        passes = [member.micro_batches + i for member in members]
        numbers = np.concatenate([index, weights.ravel().view(np.int64), passes, [start]]).astype(np.int64)
        send_numbers(numbers, self._buffer)
        return StepShape(self._rows, tokens, kept)

    def read(self, shape: StepShape) -> FedBatch:
        """As `Feed`."""
        members, rows = len(self._members), self._rows
        places, weights, passes, start = torch.split(
            self._buffer, [members * rows, members * rows, members, 1]
        )
        batch = self._staged.gather(places, shape.tokens)
        positions = None
        if self._staged.spans is not None:
            positions = start + torch.arange(shape.kept, device=start.device)
        return FedBatch(batch, weights.view(torch.float64).view(members, rows), passes, positions)


class PackedFeed:
    """Sends rows of several conversations each, in buffers of their own for each shape."""

    def __init__(self, members: Sequence[Member], context: PackContext) -> None:
        self._members, self._context = members, context
        self._shortest = _find_shortest(members, context)
        self._buffers: dict[StepShape, dict[str, torch.Tensor]] = {}

    def send(self, step_batches: Sequence[StepBatches], i: int) -> StepShape:
        """As `Feed`."""
        members, context = self._members, self._context
        own, fill = select_micro_batch(step_batches, i), _choose_fill(step_batches, self._shortest)
        # A quarter of the batch's rows more or less is another shape; a row more or less is none.
        multiple = max(1, max(m.run.training.batch_size for m in members) // 4)
        rows, batch = collate_packed_rows(own, fill, context, multiple)
        most = len(batch.input_ids) // len(members)
        weights = compute_row_weights(step_batches, rows, most, context.parts["train"].loss_terms)
        assert batch.token_labels is not None
        assert batch.position_ids is not None
        arrays = {
            "input_ids": batch.input_ids,
            "position_ids": batch.position_ids,
            "labels": batch.token_labels,
            "weights": weights,
            "passes": np.array([member.micro_batches + i for member in members]),
        }
        tokens = batch.input_ids.shape[1]
        shape = StepShape(most, tokens, tokens)
        if shape not in self._buffers:
            self._buffers[shape] = make_buffers(arrays, context.device)
        buffers = self._buffers[shape]
        for name, values in arrays.items():
            send_numbers(values, buffers[name])
        return shape

    def read(self, shape: StepShape) -> FedBatch:
        """As `Feed`."""
        buffers = self._buffers[shape]
        inputs = {name: buffers[name] for name in ("input_ids", "position_ids")}
        return FedBatch(DeviceBatch(inputs, buffers["labels"]), buffers["weights"], buffers["passes"], None)
