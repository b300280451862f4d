"""Power as data frames: the figures of `--json`, a row for each contrast, or for each pair of counts."""

from __future__ import annotations

import pytest

import headstart
from headstart.analysis.power import Leaderboard, Rank


def test_contrasts_are_rows_with_the_figures_of_json() -> None:
    analysis = headstart.power_assumed(test_examples=1000, difference=5.0, disagree=10.0)
    (row,) = analysis.frame().to_dict("records")
    (contrast,) = analysis.to_dict()["contrasts"]
    assert row["power"] == contrast["power"]
    assert row["detectable_difference"] == contrast["detectable_difference"]
    assert row["cheapest_seeds"] == contrast["cheapest_pair"]["n_seeds"]
    assert row["detectable_range_low"] is None
    assert repr(analysis) == "<PowerAnalysis: accuracy, assumed>"
    assert "cheapest_seeds" not in headstart.power_assumed(test_examples=1000).frame()


def test_what_is_detectable_is_a_row_for_each_pair() -> None:
    analysis = headstart.power_assumed(test_examples=1000)
    frame = analysis.frame("detectable").set_index(["n_seeds", "test_examples"])["detectable_difference"]
    by_pair = analysis.contrasts[0].detectable_by_pair
    assert frame[5, 1000] == by_pair[1000][5]
    assert len(frame) == sum(map(len, by_pair.values()))
    assert analysis._repr_html_().count("<table>") == 1


def test_a_leaderboard_is_its_ranks() -> None:
    board = Leaderboard(100, 0.1, (Rank("a", 0.8, 0.0, True), Rank("<b>", 0.7, 0.1, False)))
    assert board.frame()["name"].tolist() == ["a", "<b>"]
    assert repr(board) == "<Leaderboard: accuracy, 2 results on 100 test examples>"
    assert "&lt;b&gt;" in board._repr_html_()
    assert "behind the first" in str(board)
    with pytest.raises(headstart.HeadstartError, match="no table"):
        board.frame("contrasts")
