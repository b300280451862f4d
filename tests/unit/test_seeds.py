"""Random numbers are a pure function of seed, purpose and key, and raw 16-bit streams are uniform."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from headstart.seeds import derive_seed, draw_16_bit, make_generator

WORD = 2**64 - 1


def test_same_arguments_derive_the_same_number() -> None:
    assert derive_seed(3, "order", 7) == derive_seed(3, "order", 7)


def test_derived_number_is_the_same_in_every_release() -> None:
    assert derive_seed(0, "init") == 0xF822ECA2E9981720AC83B5F34E61AF19


@pytest.mark.parametrize(
    "other",
    [
        derive_seed(4, "order", 7),
        derive_seed(3, "subset", 7),
        derive_seed(3, "order", 8),
        derive_seed(3, "order"),
    ],
    ids=["seed", "purpose", "key", "no key"],
)
def test_each_argument_matters(other: int) -> None:
    assert derive_seed(3, "order", 7) != other


def test_seed_and_key_do_not_run_together() -> None:
    assert derive_seed(1, "order", 11) != derive_seed(1, "order", 1, 1)


@pytest.mark.parametrize("bits", [16, 64, 128, 256])
def test_derived_number_has_the_bits_asked_for(bits: int) -> None:
    largest = max(derive_seed(seed, "init", bits=bits) for seed in range(64))
    assert 2 ** (bits - 2) < largest < 2**bits


def test_unknown_purpose_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown purpose 'luck'.*'batches', 'corpus', 'dropout'"):
        derive_seed(0, "luck")  # type: ignore[arg-type]


def test_generator_draws_the_same_again() -> None:
    assert (
        make_generator(1, "order", 2).random(5).tolist() == make_generator(1, "order", 2).random(5).tolist()
    )


def test_generator_of_another_key_draws_other_numbers() -> None:
    assert make_generator(1, "order", 2).random() != make_generator(1, "order", 3).random()


def test_generator_does_not_touch_numpys_own_state() -> None:
    np.random.seed(0)
    before = np.random.get_state(legacy=False)["state"]["key"].copy()
    make_generator(1, "order").random(1000)
    assert (np.random.get_state(legacy=False)["state"]["key"] == before).all()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 1000])
def test_raw_numbers_are_as_many_as_asked_for(count: int) -> None:
    numbers = draw_16_bit(9, (1, 2, 3), count)
    assert numbers.shape == (count,)
    assert numbers.dtype == np.uint16


def test_shorter_draw_is_the_start_of_a_longer_one() -> None:
    assert draw_16_bit(9, (1, 2, 3), 1001)[:37].tolist() == draw_16_bit(9, (1, 2, 3), 37).tolist()


@pytest.mark.parametrize("counter", [(2, 2, 3), (1, 3, 3), (1, 2, 4), (2, 1, 3)])
def test_streams_of_different_counters_differ(counter: tuple[int, int, int]) -> None:
    same = draw_16_bit(9, (1, 2, 3), 10_000) == draw_16_bit(9, counter, 10_000)
    assert same.mean() < 0.001


def test_streams_of_different_keys_differ() -> None:
    assert (draw_16_bit(9, (1, 2, 3), 1000) == draw_16_bit(10, (1, 2, 3), 1000)).mean() < 0.01


@pytest.mark.parametrize("near", [(WORD - 1, 0, 0), (WORD - 1, 1, 2**63)])
def test_large_counters_keep_every_bit(near: tuple[int, int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, other = draw_16_bit(1, near, 8), draw_16_bit(1, (WORD, *near[1:]), 8)
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize("threshold", [6554, 32768, 60000])
def test_shares_below_a_threshold_are_binomial(threshold: int) -> None:
    count, share = 400_000, threshold / 2**16
    n_below = int((draw_16_bit(5, (0, 7, 1), count) < threshold).sum())
    assert abs(n_below - count * share) < 4 * math.sqrt(count * share * (1 - share))


def test_every_bit_is_set_half_of_the_time() -> None:
    count = 100_000
    numbers = draw_16_bit(5, (3, 7, 1), count)
    fractions = [float(((numbers >> bit) & 1).mean()) for bit in range(16)]
    assert max(abs(share - 0.5) for share in fractions) < 4 * 0.5 / math.sqrt(count)
