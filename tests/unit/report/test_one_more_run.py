"""What one more run will give, as a table and in a sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from headstart.analysis.comparison import Comparison
from headstart.commands.compare import compare
from headstart.config.metrics import describe_metric
from headstart.records import Contrast, RelativeErrors
from headstart.report.comparison_tables import make_tables
from headstart.report.conclusions import explain_comparison
from headstart.report.one_more_run import describe_errors, explain_one_more_run, make_one_more_run_table

ROWS = (
    ("random", 0.9),
    ("random", 0.89),
    ("random", 0.91),
    ("tuned", 0.93),
    ("tuned", 0.95),
    ("tuned", 0.94),
)


def compared(
    folder: Path, metric: str = "accuracy", rows: tuple[tuple[str, float], ...] = ROWS
) -> Comparison:
    file = folder / "scores.csv"
    lines = [f"{arm},{i % 3},{value}" for i, (arm, value) in enumerate(rows)]
    file.write_text("\n".join([f"arm,seed,{metric}", *lines, ""]), encoding="utf-8")
    return compare(file)


def test_each_arm_has_a_row(tmp_path: Path) -> None:
    comparison = compared(tmp_path)
    head, control, arm = make_one_more_run_table(comparison)
    assert head == ["one more run", "accuracy, 95%", "beats one of random", "fewer errors"]
    assert control[0] == "random"
    assert control[2:] == ["-", "-"]
    assert arm[2] == "100% (34 to 100)"
    assert arm[3].startswith("40% (")
    assert [head, control, arm] in list(make_tables(comparison))
    assert len(list(explain_one_more_run(comparison))) == 1
    assert any("One more run: " in note for note in explain_comparison(comparison))


def test_one_seed_has_no_table(tmp_path: Path) -> None:
    comparison = compared(tmp_path, rows=(("random", 0.9), ("x", 0.8)))
    assert make_one_more_run_table(comparison) == []
    assert list(explain_one_more_run(comparison)) == []


def test_two_studies_are_compared_with_the_first(tmp_path: Path) -> None:
    assert make_one_more_run_table(replace(compared(tmp_path), control=None))[0][2] == "beats one of A"


def test_f1_has_no_errors(tmp_path: Path) -> None:
    assert make_one_more_run_table(compared(tmp_path, "macro_f1"))[0][3] == "less 1 - macro_f1"


def find_contrast(comparison: Comparison, errors: RelativeErrors | None) -> Contrast:
    return comparison.contrasts[0].model_copy(update={"relative_errors": errors})


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        (RelativeErrors(reduction=0.2, low=0.05, high=0.31), "20% fewer errors (5 to 31%)"),
        (RelativeErrors(reduction=-0.2, low=-0.5, high=-0.1), "20% more errors (10 to 50%)"),
        (RelativeErrors(reduction=0.2, low=None, high=0.9), ""),
        (None, ""),
    ],
)
def test_errors_in_words(tmp_path: Path, errors: RelativeErrors | None, sentence: str) -> None:
    assert describe_errors(find_contrast(compared(tmp_path), errors), describe_metric("accuracy")) == sentence


def test_an_interval_without_an_end_is_not_shown(tmp_path: Path) -> None:
    comparison = compared(tmp_path)
    without = find_contrast(comparison, RelativeErrors(reduction=0.2, low=None, high=0.9))
    assert len(make_one_more_run_table(replace(comparison, contrasts=(without,)))[0]) == 3
    both = (without, comparison.contrasts[0].model_copy(update={"arm": "other"}))
    assert make_one_more_run_table(replace(comparison, contrasts=both))[2][3] == "-"
