"""Cuts a run's texts into batches of like lengths and pads them; seed and epoch alone decide the order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.data.tokenise import Tokens
from headstart.seeds import make_generator

#: Texts are sorted by length inside windows of at most this many batches and 1 / WINDOW_SHARE of the texts:
#: wide enough for little padding, narrow enough that an epoch's batches differ from the last one's.
WINDOW_BATCHES = 50
WINDOW_SHARE = 2
#: Lengths that batches may have between a power of two and the next: an eighth of padding at most, and few
#: enough sizes of tensors that memory freed by one step fits the next.
LENGTHS_PER_OCTAVE = 8


@dataclass(frozen=True)
class Batch:
    """B padded texts of T tokens: `input_ids`, `attention_mask` and `token_type_ids` have shape [B, T] and
    dtype int64.

    `labels` has shape [B] or [B, C]; `token_type_ids` is absent for models without token types.
    `token_labels`, of conversations alone, has shape [B, T]: the id that each token is to be followed by, or
    -100 for none. `position_ids` [B, T] begin anew with each text of a row that holds several.
    """

    input_ids: np.ndarray
    attention_mask: np.ndarray
    token_type_ids: np.ndarray | None
    labels: np.ndarray
    token_labels: np.ndarray | None = None
    position_ids: np.ndarray | None = None


#: The label that torch's cross-entropy ignores.
IGNORE_INDEX = -100


def draw_epoch_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of one epoch, each an array of text indices, in the order they are visited.

    Which texts meet in a batch depends on (seed, epoch). Batches are then ranked by their longest text and
    visited in an order of ranks that depends on how many batches came before alone: batch j of a run, over
    all its epochs, has about the quantile of length that the j-th number of one fixed stream says. So runs
    with other seeds or fewer texts meet like lengths at a step, whether they train together or not.
    """
    shuffled = make_generator(seed, "order", epoch).permutation(len(lengths))
    width = _choose_window(len(lengths), batch_size)
    batches = [
        batch
        for start in range(0, len(lengths), width)
        for batch in _slice_batches(_sort_by_length(shuffled[start : start + width], lengths), batch_size)
    ]
    ranked = sorted(batches, key=lambda batch: (int(lengths[batch].max()), len(batch)))
    return [ranked[rank] for rank in _rank_visits((epoch - 1) * len(ranked), len(ranked))]


def _rank_visits(before: int, count: int) -> np.ndarray:
    """The rank of each of `count` batches when `before` have been visited: a uniform permutation, [count].

    The ranks of numbers of a stream among themselves: each is near `count` times the number itself.
    """
    quantiles = make_generator(0, "batches").random(before + count)[before:]
    return np.argsort(np.argsort(quantiles))


def _choose_window(count: int, batch_size: int) -> int:
    """Texts sorted together: a whole number of batches."""
    batches = min(WINDOW_BATCHES, max(1, count // (WINDOW_SHARE * batch_size)))
    return batch_size * batches


def _sort_by_length(index: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return np.asarray(index[np.argsort(lengths[index], kind="stable")])


def _slice_batches(index: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (index[start : start + size] for start in range(0, len(index), size))


def compute_padded_length(
    tokens: Tokens, index: Sequence[int] | np.ndarray, per_octave: int = LENGTHS_PER_OCTAVE
) -> int:
    """T of a batch of the texts at `index`: the longest's, rounded up to one of so many lengths an octave.

    Never more than the longest of all texts, which the model is known to take; 0 for no texts.
    """
    longest = int(tokens.lengths[index].max(initial=0))
    multiple = max(1, (1 << longest.bit_length()) // (2 * per_octave))
    return min(-(-longest // multiple) * multiple, tokens.longest)


def collate(tokens: Tokens, index: Sequence[int] | np.ndarray, labels: np.ndarray, pad_id: int) -> Batch:
    """The texts at `index`, padded on the right to `compute_padded_length`; `labels` are theirs already."""
    starts, lengths = tokens.starts, tokens.lengths
    shape = (len(index), compute_padded_length(tokens, index))
    ids, mask = np.full(shape, pad_id, np.int64), np.zeros(shape, np.int64)
    types = None if tokens.token_type_ids is None else np.zeros(shape, np.int64)
    for row, i in enumerate(index):
        span = slice(starts[i], starts[i + 1])
        ids[row, : lengths[i]] = tokens.input_ids[span]
        mask[row, : lengths[i]] = 1
        if types is not None and tokens.token_type_ids is not None:
            types[row, : lengths[i]] = tokens.token_type_ids[span]
    return Batch(ids, mask, types, labels, _make_token_labels(tokens, index, ids))


def _make_token_labels(
    tokens: Tokens, index: Sequence[int] | np.ndarray, ids: np.ndarray
) -> np.ndarray | None:
    """For each token the next one's id where the loss counts it; by position, whatever the padding id is."""
    if tokens.loss_mask is None:
        return None
    token_labels = np.full(ids.shape, IGNORE_INDEX, np.int64)
    for row, i in enumerate(index):
        loss_mask = tokens.loss_mask[tokens.starts[i] + 1 : tokens.starts[i + 1]]
        places = np.flatnonzero(loss_mask)
        token_labels[row, places] = ids[row, places + 1]
    return token_labels


def pack_sequences(lengths: np.ndarray, index: np.ndarray, width: int) -> list[np.ndarray]:
    """The texts at `index` in rows of `width` tokens at most: the longest first, each where it first fits."""
    rows: list[list[int]] = []
    room: list[int] = []
    for i in sorted(index.tolist(), key=lambda i: -int(lengths[i])):
        place = next((row for row, left in enumerate(room) if left >= lengths[i]), len(rows))
        if place == len(rows):
            rows.append([])
            room.append(width)
        rows[place].append(i)
        room[place] -= int(lengths[i])
    return [np.array(row) for row in rows]


def collate_packed(tokens: Tokens, rows: Sequence[np.ndarray], width: int, pad_id: int) -> Batch:
    """Rows of several texts each, [B, width]; the padding is a text of its own, which the loss leaves out."""
    shape = (len(rows), width)
    ids, mask = np.full(shape, pad_id, np.int64), np.zeros(shape, np.int64)
    token_labels, positions = np.full(shape, IGNORE_INDEX, np.int64), np.zeros(shape, np.int64)
    for row, row_index in enumerate(rows):
        start = 0
        for i in row_index:
            alone = collate(tokens, [i], np.zeros(1), pad_id)
            stop = start + int(tokens.lengths[i])
            assert alone.token_labels is not None
            pairs = (ids, alone.input_ids), (mask, alone.attention_mask), (token_labels, alone.token_labels)
            for packed, values in pairs:
                packed[row, start:stop] = values[0, : stop - start]
            positions[row, start:stop] = np.arange(stop - start)
            start = stop
        positions[row, start:] = np.arange(width - start)
    return Batch(ids, mask, None, np.zeros(len(rows)), token_labels, positions)


def count_loss_tokens(tokens: Tokens) -> np.ndarray:
    """How many tokens of each text the loss counts, [N]: not the first, which no token comes before."""
    if tokens.loss_mask is None:
        return np.ones(len(tokens), np.int64)
    counts = np.add.reduceat(tokens.loss_mask.astype(np.int64), tokens.starts[:-1])
    return np.asarray(counts - tokens.loss_mask[tokens.starts[:-1]])


def iter_eval_batches(lengths: np.ndarray, most_tokens: int, window: int) -> Iterator[list[np.ndarray]]:
    """Batches for evaluation, window by window in the texts' own order: by length inside a window,
    and each batch of at most `most_tokens` tokens with its padding (one text at least)."""
    for start in range(0, len(lengths), window):
        index = _sort_by_length(np.arange(start, min(start + window, len(lengths))), lengths)
        yield _cut_batches(index, lengths, most_tokens)


def _cut_batches(index: np.ndarray, lengths: np.ndarray, most_tokens: int) -> list[np.ndarray]:
    """Cut ascending-length `index` so that rows times longest stays within `most_tokens`."""
    cuts, start = [], 0
    for stop in range(1, len(index) + 1):
        if stop - start > 1 and (stop - start) * int(lengths[index[stop - 1]]) > most_tokens:
            cuts.append(index[start : stop - 1])
            start = stop - 1
    return [*cuts, index[start:]]
