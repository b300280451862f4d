"""Cells of anybody's tables: what counts as a seed, a size and a score, and with how many decimals."""

from __future__ import annotations

import pytest

from headstart.analysis.cells import count_decimals, is_number, parse_score, parse_seed, parse_size
from headstart.errors import DataError


@pytest.mark.parametrize(("cell", "seed"), [("0", 0), ("0.0", 0), (3.0, 3), (" 7 ", 7), ("-1", -1), (12, 12)])
def test_seeds_are_whole_numbers(cell: object, seed: int) -> None:
    assert parse_seed(cell, "f:2") == seed


@pytest.mark.parametrize(
    "cell", ["", "a", "0.5", "1e3", "1_000", "²", "nan", None, True, float("nan"), "1,000"]
)
def test_other_seeds_are_refused(cell: object) -> None:
    with pytest.raises(DataError, match=r"f:2: seed"):
        parse_seed(cell, "f:2")


@pytest.mark.parametrize(("cell", "size"), [("125", 125), ("125.0", 125), (125.0, 125), ("all", "all")])
def test_sizes_are_whole_numbers_or_all(cell: object, size: int | str) -> None:
    assert parse_size(cell, "f:2") == size


@pytest.mark.parametrize("cell", ["", "ALL", "1k", "1,000", "1'000", "125.5", "0", "-5", None, float("nan")])
def test_other_sizes_are_refused(cell: object) -> None:
    with pytest.raises(DataError, match=r"f:2: size"):
        parse_size(cell, "f:2")


@pytest.mark.parametrize(
    ("cell", "fix"),
    [("1,000", "1000"), ("1'000", "1000"), ("1 000", "1000"), ("1_000", "1000"), ("12,345.0", "12345.0")],
)
def test_a_separator_is_named_with_what_to_write(cell: str, fix: str) -> None:
    with pytest.raises(DataError) as refused:
        parse_size(cell, "f:2")
    assert refused.value.fix == f"write it without separators: {fix}"


@pytest.mark.parametrize("cell", ["inf", "nan", "1_0", "0x1", "", None, True, "0,5", "1.2.3", float("inf")])
def test_scores_are_finite_numbers(cell: object) -> None:
    assert not is_number(cell)
    with pytest.raises(DataError, match=r"f:2: score"):
        parse_score(cell, "f:2")


@pytest.mark.parametrize(
    ("cell", "decimals"),
    [
        ("81.5", 1),
        ("81.50", 2),
        ("78", 0),
        (0.125, 3),
        (78.0, 0),
        (78, 0),
        ("2e-3", 3),
        ("2E2", 0),
        (".5", 1),
    ],
)
def test_decimals_are_counted_as_written(cell: object, decimals: int) -> None:
    assert count_decimals(cell) == decimals
