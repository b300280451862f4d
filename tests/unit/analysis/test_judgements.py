"""Choices as a contrast: whose answer a choice is, and what kappa says of it."""

from __future__ import annotations

import pytest

from headstart.analysis.judgements import contrast_judgements
from headstart.data.filled_sheets import Choice
from headstart.errors import DataError
from headstart.store.judging_keys import JudgingKey, RowKey


def make_key(n_rows: int) -> JudgingKey:
    """The arm comes first in odd rows."""
    rows = tuple(
        RowKey(row=i, id=i, seed=0, first="arm" if i % 2 else "control", digests=())
        for i in range(1, n_rows + 1)
    )
    return JudgingKey(sheet="abcdefghijkl", arm="a", control="c", size="all", draw=0, rows=rows)


def test_a_choice_is_of_whose_answer_stood_there() -> None:
    choices: dict[int, Choice] = {1: "1", 2: "1", 3: "2", 4: "2", 5: "tie"}
    found = contrast_judgements("x.csv", make_key(6), {"x": choices})
    assert (found.wins, found.losses, found.ties, found.unjudged) == (2, 2, 1, 1)
    assert (found.win_rate, found.verdict) == (0.5, "undecided")
    (judge,) = found.judges
    assert (judge.arm, judge.control, judge.ties, judge.first, judge.unfinished) == (2, 2, 1, 2, 1)


def test_kappa_by_hand() -> None:
    """Cohen 1960: 3 of 5 agree, where 2 of 5 would by chance."""
    first: dict[int, Choice] = {1: "1", 2: "1", 3: "2", 4: "2", 5: "tie"}
    second: dict[int, Choice] = {1: "1", 2: "1", 3: "2", 4: "1", 5: "2"}
    (agreement,) = contrast_judgements("x", make_key(5), {"x": first, "y": second}).agreements
    expected = (2 * 3 + 2 * 2) / 25
    assert agreement.share == pytest.approx(0.6)
    assert agreement.kappa == pytest.approx((0.6 - expected) / (1 - expected))


def test_two_who_always_write_the_same_have_no_kappa() -> None:
    same: dict[int, Choice] = {1: "1", 2: "1"}
    (agreement,) = contrast_judgements("x", make_key(2), {"x": same, "y": same}).agreements
    assert (agreement.share, agreement.kappa) == (1.0, None)


def test_nothing_judged_is_no_contrast() -> None:
    with pytest.raises(DataError, match="no row is judged"):
        contrast_judgements("x.csv", make_key(2), {"x": {}})
