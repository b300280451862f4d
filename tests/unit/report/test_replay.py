"""What a terminal shows of a replay: the verdict, what differs and by how much, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.analysis.replay import Condition, MetricDifference, Replay
from headstart.analysis.replay_files import ColumnDifference, FileMatch
from headstart.report.replay import render_replay
from studies import rendered_lines

FILE = FileMatch("predictions.parquet", "predictions", "a", "a")
WEIGHTS = FileMatch("model/model.safetensors", "weights", "b", "b")


def make_replay(**changes: Any) -> Replay:
    """An equal one, but for `changes`."""
    values: dict[str, Any] = {
        "study": Path("runs/study"),
        "run": "random/all/0",
        "verdict": "equal",
        "pack": ("random/all/0",),
        "files": (FILE, WEIGHTS),
        "count": 12,
        "metrics": (),
        "columns": (),
        "weights": None,
        "others": (),
        "conditions": (),
        "alterations": (),
        "notes": (),
        "seconds": (3.0, 4.0),
    }
    return Replay(**(values | changes))


def show(**changes: Any) -> list[str]:
    return rendered_lines(render_replay(make_replay(**changes)))


def test_an_equal_one_is_four_lines() -> None:
    lines = show()
    assert lines[0] == "random/all/0: equal to the bit"
    assert "predictions equal to the bit" in lines
    assert "weights equal to the bit" in lines
    assert "metrics equal to the bit, all 12" in lines
    assert lines[-1] == "Trained in 4 s; on record 3 s."


def test_a_different_one_says_by_how_much_and_under_which_conditions() -> None:
    lines = show(
        verdict="different",
        files=(
            FileMatch("predictions.parquet", "predictions", "a", "c"),
            FileMatch(WEIGHTS.name, "weights", "b", "d"),
        ),
        metrics=(MetricDifference("test", "accuracy", 0.75, 0.5),),
        columns=(
            ColumnDifference("predictions.parquet", "p_bad", 3, 24, 1e-7),
            ColumnDifference("predictions.parquet", "p_good", 4, 24, 2e-7),
            ColumnDifference("predictions.parquet", "predicted", 1, 24),
        ),
        weights=3e-6,
        conditions=(Condition("torch", "2.12", "2.13"),),
    )
    assert lines[0] == "random/all/0: differs from its record"
    shown = " ".join(lines)
    assert "probabilities: 4 of 24 test examples, by 2e-07 at most; predicted: 1 of 24 test examples" in shown
    assert "weights differ, by 3e-06 at most" in shown
    assert "1 of 12 differ: test accuracy 0.75 on record, 0.5 now" in shown
    assert "torch 2.12 2.13" in shown
    assert "Torch is not as on record, and may round otherwise." in shown


def test_figures_that_differ_late_have_digits_enough() -> None:
    shown = " ".join(show(verdict="different", metrics=(MetricDifference("test", "loss", 0.1 + 0.2, 0.3),)))
    assert "0.30000000000000004 on record, 0.29999999999999999 now" in shown


def test_an_altered_one_says_what_was_changed() -> None:
    lines = show(verdict="altered", alterations=("study.yaml was changed",))
    assert lines[0] == "random/all/0: the record, or a file beside it, is not what the run wrote"
    assert "Changed: study.yaml was changed." in lines
    assert "The replay gives what the record says of predictions, weights and metrics." in lines


def test_plain_values_have_no_nan() -> None:
    values = make_replay(metrics=(MetricDifference("test", "loss", float("nan"), 0.3),)).to_dict()
    assert values["metrics"][0]["recorded"] is None
    assert (values["verdict"], values["files"][0]["same"]) == ("equal", True)
