"""Label worth: inverted exactly between sizes, never beyond them, with an interval that holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.stats.label_worth import label_worth

LABELS = np.array([100, 200, 400, 800])


def draws() -> np.random.Generator:
    return np.random.default_rng(0)


def column(*values: float, seeds: int = 3) -> np.ndarray:
    """Scores [K, S] that are the same with every seed."""
    return np.repeat(np.array(values)[:, None], seeds, axis=1)


def test_an_arm_that_is_its_control_is_worth_its_labels() -> None:
    scores = column(0.5, 0.6, 0.7, 0.8)
    found = label_worth(LABELS, scores, scores, draws())
    assert [one.worth for one in found] == pytest.approx(LABELS)
    assert [one.times for one in found] == pytest.approx([1, 1, 1, 1])


def test_between_sizes_it_is_linear_in_the_logarithm() -> None:
    (first, *_) = label_worth(LABELS, column(0.65, 0.7, 0.75, 0.8), column(0.5, 0.6, 0.7, 0.8), draws())
    assert first.worth == pytest.approx(np.sqrt(200 * 400))  # half way from 200 to 400


def test_beyond_the_data_it_is_more_or_less_than() -> None:
    found = label_worth(LABELS, column(0.4, 0.5, 0.8, 0.9), column(0.5, 0.6, 0.7, 0.8), draws())
    assert [one.worth for one in found] == [0.0, 100.0, 800.0, float("inf")]


def test_a_curve_that_falls_is_made_monotone() -> None:
    """0.7 and 0.6 become 0.65 both: the fewest labels that reach it are 200."""
    found = label_worth(LABELS, column(0.65, 0.65, 0.65, 0.65), column(0.5, 0.7, 0.6, 0.8), draws())
    assert found[0].worth == pytest.approx(200)


def test_a_loss_is_better_when_lower() -> None:
    found = label_worth(
        LABELS, column(0.35, 0.3, 0.25, 0.2), column(0.5, 0.4, 0.3, 0.2), draws(), lower_is_better=True
    )
    assert found[0].worth == pytest.approx(np.sqrt(200 * 400))


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    own, held = np.random.default_rng(1), []
    truth = np.sqrt(200 * 400)
    for _ in range(150):
        control = column(0.5, 0.6, 0.7, 0.8, seeds=8) + 0.01 * own.normal(size=(4, 8))
        arm = column(0.65, 0.7, 0.75, 0.8, seeds=8) + 0.01 * own.normal(size=(4, 8))
        first = label_worth(LABELS, arm, control, own, draws=300)[0]
        assert first.low is not None
        assert first.high is not None
        held.append(first.low <= truth <= first.high)
    assert np.mean(held) > 0.85  # percentiles of 8 seeds: a little narrow, as docs/statistics.md says


def test_draws_come_from_the_generator() -> None:
    own = np.random.default_rng(0)
    base = np.arange(4)[:, None] / 10
    arm, control = base + 0.05 * own.normal(size=(4, 5)), base + 0.05 * own.normal(size=(4, 5))
    one, same, other = (label_worth(LABELS, arm, control, np.random.default_rng(s)) for s in (1, 1, 2))
    assert one == same
    assert one != other


def test_one_seed_has_no_interval() -> None:
    scores = column(0.5, 0.6, 0.7, 0.8, seeds=1)
    found = label_worth(LABELS, scores, scores, draws())
    assert [(one.worth, one.low, one.high) for one in found] == [(n, None, None) for n in LABELS.tolist()]


@pytest.mark.parametrize("labels", [[100], [200, 100, 400, 800], [100, 100, 200, 300]])
def test_sizes_must_ascend(labels: list[int]) -> None:
    scores = column(*[0.5] * len(labels))
    with pytest.raises(ValueError, match="ascending sizes"):
        label_worth(np.array(labels), scores, scores, draws())
