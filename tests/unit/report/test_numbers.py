"""How numbers are written."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.records import WorthRow
from headstart.report.numbers import (
    format_hyperparameters,
    format_interval,
    format_metric,
    format_p,
    format_worth,
    format_worth_interval,
    get_unit,
)


@pytest.mark.parametrize(
    ("metric", "value", "signed", "text"),
    [
        ("accuracy", 0.8125, False, "81.2"),
        ("accuracy", 0.05, True, "+5.0"),
        ("accuracy", -0.05, True, "-5.0"),
        ("mcc", 0.5, False, "0.500"),
        ("loss", 0.12345, False, "0.123"),
        ("loss", None, False, "-"),
    ],
)
def test_numbers_are_written_as_people_do(metric: str, value: float | None, signed: bool, text: str) -> None:
    assert format_metric(metric, value, signed=signed) == text


def test_differences_of_shares_are_points() -> None:
    assert (get_unit("macro_f1"), get_unit("rmse")) == ("points", "rmse")


def test_intervals_have_two_ends_or_none() -> None:
    assert format_interval("accuracy", 0.61, 0.66) == "61.0 to 66.0"
    assert format_interval("accuracy", -0.01, 0.02, signed=True) == "-1.0 to +2.0"
    assert format_interval("accuracy", None, 0.66) == "-"


@pytest.mark.parametrize(("p", "text"), [(0.0004, "<0.001"), (0.001, "0.001"), (1.0, "1.000"), (None, "-")])
def test_p_values_have_three_decimals(p: float | None, text: str) -> None:
    assert format_p(p) == text


def test_hyperparameters_are_short() -> None:
    assert format_hyperparameters({"learning_rate": 3e-5, "weight_decay": 0.1}) == "rate 3e-5, decay 0.1"
    assert format_hyperparameters({}) == ""


def worth(**ends: Any) -> WorthRow:
    values: dict[str, Any] = {
        "arm": "a",
        "control": "b",
        "size": "all",
        "metric": "accuracy",
        "amount": 125,
        "score": 0.5,
        "smallest": 125,
        "largest": 2000,
    }
    known = dict.fromkeys(("worth", "low", "high", "bootstrap_low", "bootstrap_high"))
    return WorthRow.model_validate(values | known | ends)


@pytest.mark.parametrize(
    ("value", "beyond", "text"),
    [
        (1030.4, None, "1,030"),
        (None, "more than the largest", "over 2,000"),
        (None, "less than the smallest", "under 125"),
        (None, None, "-"),
    ],
)
def test_worth_beyond_what_was_run_is_over_or_under(
    value: float | None, beyond: str | None, text: str
) -> None:
    assert format_worth(worth(worth=value, worth_beyond=beyond), "worth") == text


def test_an_interval_of_worth_whose_ends_are_alike_is_written_once() -> None:
    over = {"low_beyond": "more than the largest", "high_beyond": "more than the largest"}
    assert format_worth_interval(worth(**over)) == "over 2,000"
    assert format_worth_interval(worth(low=958.0, high_beyond="more than the largest")) == "958 to over 2,000"
    assert format_worth_interval(worth()) == "-"
