"""Intervals over seeds and texts: by hand, against closed forms, and by simulation of what they claim."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.crossed import crossed_interval


def gaps(
    seeds: int,
    texts: int,
    draws: np.random.Generator,
    by_seed: float = 1.0,
    by_text: float = 1.0,
    rest: float = 1.0,
) -> np.ndarray:
    """Gaps [S, N] of mean zero, from parts of these deviations."""
    a = by_seed * draws.normal(size=(seeds, 1))
    b = by_text * draws.normal(size=(1, texts))
    return np.asarray(a + b + rest * draws.normal(size=(seeds, texts)))


def test_the_variance_is_that_of_the_two_way_model() -> None:
    """Against the mean squares of a table worked out by hand: rows 1 3 and 2 8."""
    found = crossed_interval(np.array([[1.0, 3.0], [2.0, 8.0]]))
    assert found is not None
    # Mean 3.5. Seeds: 2 * (1.5^2 + 1.5^2) = 9. Texts: 2 * (2^2 + 2^2) = 16. Rest: 4 * 1^2 = 4.
    assert found.mean == 3.5
    assert found.error == pytest.approx(np.sqrt((9 + 16 - 4) / 4))
    assert found.freedom == pytest.approx((9 + 16 - 4) ** 2 / (81 + 256 + 16))
    reach = stats.t.ppf(0.975, found.freedom) * found.error
    assert (found.low, found.high) == pytest.approx((3.5 - reach, 3.5 + reach))


def test_without_an_effect_of_texts_it_is_the_t_interval_over_seeds() -> None:
    by_seed = np.random.default_rng(0).normal(size=5)
    found = crossed_interval(np.repeat(by_seed[:, None], 400, axis=1))
    assert found is not None
    theirs = stats.ttest_1samp(by_seed, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert found.texts == pytest.approx(0, abs=1e-12)


def test_without_an_effect_of_seeds_it_is_the_t_interval_over_texts() -> None:
    by_text = np.random.default_rng(0).normal(size=300)
    found = crossed_interval(np.repeat(by_text[None, :], 3, axis=0))
    assert found is not None
    theirs = stats.ttest_1samp(by_text, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert found.seeds == pytest.approx(0, abs=1e-12)


def test_gaps_that_are_all_equal_say_nothing() -> None:
    assert crossed_interval(np.full((3, 10), 0.5)) is None


@pytest.mark.parametrize("shape", [(1, 10), (3, 1)])
def test_one_seed_or_one_text_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least two seeds"):
        crossed_interval(np.zeros(shape))


@pytest.mark.parametrize("parts", [(1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (1.0, 0.0, 1.0), (0.05, 0.2, 1.0)])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_interval_holds_what_it_claims(seeds: int, parts: tuple[float, float, float]) -> None:
    """At least 93% of 400 intervals cover the truth; with few seeds they may be wider than they need be."""
    draws = np.random.default_rng(seeds)
    scaled = (parts[0] / 10, parts[1], parts[2])
    made = [crossed_interval(gaps(seeds, 100, draws, *scaled)) for _ in range(400)]
    covered = np.mean([one is not None and one.low <= 0 <= one.high for one in made])
    assert covered >= 0.93
