"""Batches hold texts of like lengths; seed and epoch alone decide which texts meet, and when."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.data.batches import collate, compute_padded_length, draw_epoch_batches, iter_eval_batches
from headstart.data.tokenise import Tokens

LENGTHS = np.random.default_rng(0).integers(3, 100, 203)


def order(seed: int = 0, epoch: int = 1, size: int = 8) -> list[list[int]]:
    return [batch.tolist() for batch in draw_epoch_batches(LENGTHS, size, seed, epoch)]


@pytest.mark.parametrize("epoch", [1, 2])
@pytest.mark.parametrize("size", [1, 8, 203, 500])
def test_every_text_is_visited_once_an_epoch(size: int, epoch: int) -> None:
    visited = [i for batch in order(epoch=epoch, size=size) for i in batch]
    assert sorted(visited) == list(range(203))


@pytest.mark.parametrize(("size", "count"), [(1, 203), (8, 26), (203, 1), (500, 1)])
def test_batches_are_full_but_for_one(size: int, count: int) -> None:
    sizes = sorted(map(len, order(size=size)), reverse=True)
    assert len(sizes) == count
    assert set(sizes[:-1]) <= {size}


def test_same_seed_and_epoch_give_the_same_order() -> None:
    assert order(3, 2) == order(3, 2)


def test_other_seed_makes_other_batches() -> None:
    assert set(map(frozenset, order(0))) != set(map(frozenset, order(1)))


def test_other_epoch_makes_other_batches() -> None:
    assert set(map(frozenset, order(epoch=1))) != set(map(frozenset, order(epoch=2)))


def ranks(seed: int, epoch: int) -> list[int]:
    """The rank, by its longest text, of each batch in the order of visits."""
    epoch_batches = draw_epoch_batches(np.arange(10, 210), 10, seed, epoch)
    longest = [int(batch.max()) for batch in epoch_batches]
    return [sorted(longest).index(value) for value in longest]


def test_order_of_ranks_depends_on_the_epoch_alone() -> None:
    assert ranks(0, 1) == ranks(7, 1)
    assert ranks(0, 1) != ranks(0, 2)


def quantiles(texts: int, epochs: int) -> np.ndarray:
    """Of each batch of a run in the order of visits, the share of its epoch's batches that are shorter."""
    values = []
    for epoch in range(1, epochs + 1):
        longest = [int(batch.max()) for batch in draw_epoch_batches(np.arange(10, 10 + texts), 10, 0, epoch)]
        values += [sorted(longest).index(value) / len(longest) for value in longest]
    return np.array(values)


def test_runs_of_other_sizes_meet_like_lengths_at_a_step() -> None:
    small, large = quantiles(400, 10), quantiles(1000, 4)
    assert len(small) == len(large) == 400
    assert np.abs(small - large).mean() < 0.08
    shifted = np.abs(small - np.roll(large, 1)).mean()
    assert shifted > 0.25, "the case must tell agreement from chance"


def test_batches_hold_like_lengths() -> None:
    padded = sum(len(batch) * int(LENGTHS[batch].max()) for batch in draw_epoch_batches(LENGTHS, 8, 0, 1))
    shuffled = np.random.default_rng(0).permutation(203)
    unsorted = sum(len(batch) * int(LENGTHS[batch].max()) for batch in np.array_split(shuffled, len(order())))
    assert padded < 1.2 * LENGTHS.sum() < unsorted


TOKENS = Tokens(np.arange(10, 20, dtype=np.int32), np.array([0, 3, 4, 10]), None, 0)


def test_padding_is_on_the_right_and_masked() -> None:
    batch = collate(TOKENS, [1, 0], np.array([5, 6]), pad_id=1)
    assert batch.input_ids.tolist() == [[13, 1, 1], [10, 11, 12]]
    assert batch.attention_mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert (batch.token_type_ids, batch.labels.tolist()) == (None, [5, 6])


def test_arrays_are_what_a_model_takes() -> None:
    batch = collate(TOKENS, np.array([2, 1]), np.zeros((2, 4)), pad_id=0)
    assert batch.input_ids.shape == (2, 6)
    assert {batch.input_ids.dtype, batch.attention_mask.dtype} == {np.dtype(np.int64)}
    assert batch.labels.shape == (2, 4)


@pytest.mark.parametrize(
    ("longest", "padded"),
    [(1, 1), (15, 15), (17, 18), (31, 32), (32, 32), (33, 36), (64, 64), (65, 72), (129, 144), (257, 288)],
)
def test_lengths_of_batches_are_few(longest: int, padded: int) -> None:
    """The three texts are the batch's longest, a shorter one, and one that allows any padding."""
    lengths = [longest, 1, 1000]
    tokens = Tokens(np.zeros(sum(lengths), np.int32), np.cumsum([0, *lengths]), None, 0)
    assert compute_padded_length(tokens, [0, 1]) == padded
    assert collate(tokens, [0, 1], np.zeros(2), pad_id=1).attention_mask.sum(1).tolist() == [longest, 1]


def test_no_batch_is_longer_than_the_longest_text() -> None:
    """A model may have no position for more."""
    tokens = Tokens(np.zeros(130, np.int32), np.array([0, 129, 130]), None, 0)
    assert collate(tokens, [0, 1], np.zeros(2), pad_id=1).input_ids.shape == (2, 129)


def test_lengths_of_batches_waste_an_eighth_at_most() -> None:
    tokens = Tokens(np.zeros(1, np.int32), np.concatenate([[0], np.cumsum(np.arange(1, 2000))]), None, 0)
    padded = np.array([compute_padded_length(tokens, [i]) for i in range(1024)])
    assert (padded / tokens.lengths[:1024]).max() <= 1 + 1 / 8
    assert len(set(padded.tolist())) <= 8 * 10


def test_token_types_are_padded_with_zero() -> None:
    types = np.array([0, 0, 1, 0, 0, 0, 0, 1, 1, 1], np.int8)
    batch = collate(Tokens(TOKENS.input_ids, TOKENS.starts, types, 0), [0, 2], np.zeros(2), pad_id=1)
    assert batch.token_type_ids is not None
    assert batch.token_type_ids.tolist() == [[0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]


def test_reading_covers_every_text_window_by_window() -> None:
    windows = list(iter_eval_batches(LENGTHS, 256, 50))
    covered = [sorted(i for batch in window for i in batch.tolist()) for window in windows]
    assert covered == [list(range(start, min(start + 50, 203))) for start in range(0, 203, 50)]


def test_reading_respects_the_limit_of_tokens() -> None:
    batches = [batch for window in iter_eval_batches(LENGTHS, 256, 50) for batch in window]
    assert max(len(batch) * int(LENGTHS[batch].max()) for batch in batches) <= 256


def test_text_above_the_limit_is_read_alone() -> None:
    (window,) = iter_eval_batches(np.array([5, 300, 5]), 100, 10)
    assert [batch.tolist() for batch in window] == [[0, 2], [1]]


def test_reading_fills_its_batches() -> None:
    (window,) = iter_eval_batches(np.full(10, 10), 40, 10)
    assert [len(batch) for batch in window] == [4, 4, 2]
