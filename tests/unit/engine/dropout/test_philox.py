"""Philox gives Random123's known answers; what stays is a pure function of key, pass, site and place."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from headstart.engine.dropout.philox import PASSES, compute_philox, derive_keys, find_kept
from headstart.errors import StackError

KEYS = derive_keys([5, 7])
N = 200_000

#: Random123's kat_vectors, philox4x32 10: counter, key, answer.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def _words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def _kept(shape: tuple[int, ...], *seeds: int, step: int = 0, site: int = 0, p: float = 0.5) -> np.ndarray:
    return find_kept(shape, derive_keys(seeds), np.full(len(seeds), step), site, p)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_the_words_are_the_known_answers(counter: str, key: str, answer: str) -> None:
    low, high = _words(key)
    words = compute_philox(
        [np.array(word) for word in _words(counter)], np.array(low | high << 32, np.uint64)
    )
    assert [int(word) for word in words] == _words(answer)


def test_keys_are_the_same_as_signed_and_unsigned_numbers() -> None:
    signed = derive_keys(range(8))
    assert (signed < 0).any()
    counter = [np.arange(8)] * 4
    for ours, theirs in zip(
        compute_philox(counter, signed), compute_philox(counter, signed.view(np.uint64)), strict=True
    ):
        assert np.array_equal(ours, theirs)


def test_an_element_stays_by_the_number_of_its_place() -> None:
    """Written out: the counter of one element, and which half of which word is its."""
    kept = find_kept((4, 3, 5, 11), KEYS, np.array([0, 9]), 17, 0.4)
    row, head, query, column = 3, 2, 4, 10  # member 1's second row
    counter = [np.array(x) for x in (column // 8, query, 1 * 3 + head, 9 * 1024 + 17)]
    words = compute_philox(counter, KEYS[1])
    halves = [half for word in words for half in (int(word) & 0xFFFF, int(word) >> 16)]
    assert kept[row, head, query, column] == (halves[column % 8] >= round(0.4 * 65536))


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_the_kept_share_is_within_four_deviations(p: float) -> None:
    kept = _kept((10, N // 10), 0, p=p).mean()
    assert abs(kept - (1 - p)) < 4 * (p * (1 - p) / N) ** 0.5


def test_masks_of_seeds_passes_and_sites_are_pairwise_independent() -> None:
    masks = [
        _kept((10, N // 10), seed, step=step, site=site, p=0.1)
        for seed, step, site in itertools.product((0, 1), (0, PASSES - 1), (0, 1))
    ]
    for first, other in itertools.combinations(masks, 2):
        expected = 0.9**2 + 0.1**2
        assert abs((first == other).mean() - expected) < 4 * (expected * (1 - expected) / N) ** 0.5


def test_the_same_names_give_the_same_bits() -> None:
    assert np.array_equal(_kept((4, 9), 1, step=2), _kept((4, 9), 1, step=2))


@pytest.mark.parametrize(
    ("alone", "together", "corner"),
    [
        ((3, 5, 6), (8, 9, 6), (slice(3), slice(5))),
        ((3, 5, 9), (8, 9, 9), (slice(3), slice(5))),
        ((3, 2, 5, 5), (8, 2, 9, 9), (slice(3), slice(None), slice(5), slice(5))),
        ((6, 5, 5), (16, 9, 9), (slice(6), slice(5), slice(5))),
        ((3, 9), (8, 9), (slice(3),)),
        ((11, 6), (2, 11, 6), (0,)),
        ((11,), (2, 11), (0,)),
        ((3,), (8,), (slice(3),)),
    ],
    ids=[
        "hidden",
        "as wide as long",
        "attention",
        "flat attention",
        "pooled",
        "no rows",
        "vector",
        "scalars",
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_what_a_pack_pads_moves_nothing(
    alone: tuple[int, ...], together: tuple[int, ...], corner: tuple[int | slice, ...], place: int
) -> None:
    """Tokens at the end, rows at a member's end, another member before or behind."""
    seeds = (1, 7) if place else (7, 1)
    part = _kept(together, *seeds).reshape(2, together[0] // 2, *together[1:])[place]
    assert np.array_equal(part[corner], _kept(alone, 7))
    assert not np.array_equal(part[corner], _kept(alone, 1)) or part[corner].size < 6


def test_members_may_have_made_different_numbers_of_passes() -> None:
    both = find_kept((2, 100), KEYS, np.array([3, 8]), 0, 0.5)
    assert np.array_equal(both[1:], _kept((1, 100), 7, step=8))


@pytest.mark.parametrize("shape", [(7, 9), ()])
def test_rows_that_belong_to_nobody_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(StackError, match="3 members"):
        _kept(shape, 1, 2, 3)
