"""A contrast's power is that of the statistics behind it; as plain values it has what was asked for."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from headstart.analysis.power import SEEDS, ContrastPower, Leaderboard, PowerAnalysis, Rank
from headstart.stats.power import (
    compute_power,
    detectable_difference,
    find_cheapest_pair,
    find_required_examples,
    find_required_seeds,
)
from headstart.stats.power_ranges import PowerRanges
from headstart.stats.variances import MeanSquares, VarianceComponents

VARIANCES = VarianceComponents(seeds=0.01**2, examples=0.2, residual=0.1)


def contrast(difference: float | None = 0.05) -> ContrastPower:
    return ContrastPower("a - b", VARIANCES, n_seeds=5, test_examples=1500, difference=difference)


def test_figures_are_those_of_the_statistics() -> None:
    row = contrast()
    assert row.std_error == VARIANCES.std_error(5, 1500)
    assert row.limiting_factor == "examples"
    assert row.detectable_difference == detectable_difference(VARIANCES, 5, 1500)
    assert row.detectable_by_seeds == {n: detectable_difference(VARIANCES, n, 1500) for n in SEEDS}
    assert row.power == compute_power(0.05, VARIANCES, 5, 1500)
    assert row.required_seeds == find_required_seeds(0.05, VARIANCES, 1500)
    assert row.required_examples == find_required_examples(0.05, VARIANCES, 5)


def test_a_contrast_of_several_has_the_corrected_level() -> None:
    row = replace(contrast(), n_tests=15)
    assert row.level == pytest.approx(0.05 / 15)
    assert row.detectable_difference == detectable_difference(VARIANCES, 5, 1500, alpha=row.level)
    assert row.power == compute_power(0.05, VARIANCES, 5, 1500, row.level)
    assert row.required_seeds == find_required_seeds(0.05, VARIANCES, 1500, alpha=row.level)
    assert row.required_examples == find_required_examples(0.05, VARIANCES, 5, alpha=row.level)
    assert row.cheapest_pair == find_cheapest_pair(0.05, VARIANCES, 100, alpha=row.level)


def test_measured_variances_have_ranges() -> None:
    squares = MeanSquares(0.5, 0.4, 0.2, n_seeds=3, n_units=1500, n_examples=1500)
    row = replace(contrast(), squares=squares, variances=squares.estimate_components(), n_tests=2)
    ranges = PowerRanges(squares, np.random.default_rng(0), alpha=row.level)
    assert row.detectable_range == pytest.approx(ranges.detectable_difference(5, 1500))
    assert row.required_seeds_range == ranges.find_required_seeds(0.05, 1500)
    assert row.required_examples_range == ranges.find_required_examples(0.05, 5)
    assert row.to_dict()["measured_seeds"] == 3
    assert replace(row, difference=None).required_seeds_range is None


@pytest.mark.parametrize("squares", [(0.5, 0.1, 0.2), (0.21, 0.4, 0.2), (0.1, 0.1, 0.2), (2.0, 0.15, 0.2)])
def test_ranges_hold_what_is_estimated(squares: tuple[float, float, float]) -> None:
    """A variance that is estimated as zero may be anything: draws of it lie on one side of the estimate."""
    measured = MeanSquares(*squares, n_seeds=2, n_units=1500, n_examples=1500)
    row = replace(contrast(0.01), squares=measured, variances=measured.estimate_components())
    assert row.detectable_range is not None
    low, high = row.detectable_range
    assert low <= row.detectable_difference <= high
    for ends, estimate in (
        (row.required_seeds_range, row.required_seeds),
        (row.required_examples_range, row.required_examples),
    ):
        assert ends is not None
        first, last = (math.inf if end is None else end for end in ends)
        assert first <= (math.inf if estimate is None else estimate) <= last


def test_without_a_difference_there_is_nothing_to_require() -> None:
    row = contrast(None)
    assert (row.power, row.required_seeds, row.required_examples) == (None, None, None)
    assert not {"difference", "power", "required_seeds", "required_examples"} & row.to_dict().keys()


def test_plain_values_hold_every_figure() -> None:
    analysis = PowerAnalysis("accuracy", (contrast(),))
    values = json.loads(json.dumps(analysis.to_dict()))
    assert (values["schema_version"], values["metric"]) == (2, "accuracy")
    (row,) = values["contrasts"]
    assert row["variances"] == {"seeds": 0.01**2, "examples": 0.2, "residual": 0.1, "group_size": 1.0}
    assert [pair["test_examples"] for pair in row["detectable_by_pair"]] == [750, 1500, 3000, 7500]
    assert row["detectable_by_pair"][1]["by_seeds"] == row["detectable_by_seeds"]
    assert row["persistent_share"] == pytest.approx(2 / 3)
    assert (row["n_tests"], row["level"], row["measured_seeds"]) == (1, pytest.approx(0.05), None)
    assert row["detectable_range"] is row["required_seeds_range"] is None
    assert row["cheapest_pair"] == {
        "n_seeds": contrast().cheapest_pair.n_seeds,  # type: ignore[union-attr]
        "n_examples": contrast().cheapest_pair.n_examples,  # type: ignore[union-attr]
    }
    assert row["detectable_by_seeds"]["5"] == row["detectable_difference"]
    assert (row["contrast"], row["n_seeds"], row["test_examples"]) == ("a - b", 5, 1500)
    assert row["power"] == pytest.approx(contrast().power)
    assert row["target_power"] == 0.8


def test_a_leaderboard_holds_its_ranks() -> None:
    leaderboard = Leaderboard(1319, 0.038, (Rank("x", 0.52, 0.0, True),))
    assert leaderboard.to_dict() == {
        "schema_version": 2,
        "metric": "accuracy",
        "test_examples": 1319,
        "noise_limit": 0.038,
        "ranks": [{"name": "x", "score": 0.52, "difference": 0.0, "is_noise": True, "rows": 1}],
    }
