"""The closing table as plain text."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from headstart.config.study import Study
from headstart.records import Notice, RunRecord
from headstart.report.findings import Findings, find
from headstart.report.table import closing, results_table, show


def findings(values: dict[str, tuple[float | None, ...]], *notices: Notice, **changes: Any) -> Findings:
    """The findings of arms with these test accuracies by seed; None for a run that failed."""
    arms = {arm: {"init": "random"} if arm == "random" else {} for arm in values} | {"words": None}
    study = Study.model_validate(
        {"data": {"path": "a.csv"}, "model": "m", "arms": arms, "seeds": 2} | changes
    )
    runs = [
        RunRecord.model_validate(
            {
                "arm": arm,
                "size": study.sizes[-1],
                "seed": seed,
                "status": "done" if value is not None else "failed",
                "texts": 8,
                "test": None if value is None else {"accuracy": value},
                "error": None if value is not None else "loss nan",
            }
        )
        for arm, all_values in values.items()
        for seed, value in enumerate(all_values)
    ]
    return find(study, runs, notices)


def lines(shown: RenderableType) -> list[str]:
    stream = StringIO()
    show(shown, Console(file=stream, width=200))
    return [" ".join(line.replace("│", " ").split()) for line in stream.getvalue().splitlines()]


TWO: dict[str, tuple[float | None, ...]] = {"pretrained": (0.8, 0.9), "random": (0.6, 0.6)}


def test_row_holds_mean_deviation_seeds_and_difference() -> None:
    found = lines(results_table(findings(TWO)))
    assert "pretrained 85.0 ± 7.1 80.0 90.0 +25.0 [-38.5, +88.5]" in found
    assert "random 60.0 ± 0.0 60.0 60.0 control" in found


def test_caption_names_the_rule_of_selection() -> None:
    found = " ".join(lines(results_table(findings(TWO))))
    assert "test accuracy at each run's best epoch on valid; ± is the sample deviation over seeds" in found


def test_single_seed_has_no_deviation_and_no_interval() -> None:
    found = lines(results_table(findings({"pretrained": (0.8,), "random": (0.6,)}, seeds=1)))
    assert "pretrained 80.0 80.0 +20.0" in found


def test_failed_runs_show_as_gaps() -> None:
    found = lines(results_table(findings({"pretrained": (None, 0.9), "random": (None, None)})))
    assert "pretrained 90.0 - 90.0 -" in found
    assert "random failed - - control" in found


def test_sizes_have_a_column_of_their_own() -> None:
    found = lines(results_table(findings(TWO, sizes=[4, "all"])))
    assert "pretrained all 85.0 ± 7.1 80.0 90.0 +25.0 [-38.5, +88.5]" in found
    assert "pretrained 4 failed - - -" in found


def test_without_a_control_there_is_no_difference() -> None:
    found = lines(results_table(findings({"pretrained": (0.8, 0.9)})))
    assert "pretrained 85.0 ± 7.1 80.0 90.0" in found


def test_question_with_brackets_is_shown_as_it_is() -> None:
    assert any(
        "Is [bold] a word?" in line
        for line in lines(results_table(findings(TWO, question="Is [bold] a word?")))
    )


def test_closing_words_hold_meaning_warnings_and_failures(tmp_path: Path) -> None:
    notice = Notice(kind="leak", text="2 texts of test (1.0%) are in train too")
    found = lines(closing(findings({"pretrained": (0.8, None), "random": (0.6, 0.6)}, notice), tmp_path))
    assert "! 2 texts of test (1.0%) are in train too" in found
    assert "failed: pretrained/all/1: loss nan" in found
    assert "One seed says nothing about chance: run with seeds=3 or more." in found
    assert f"all figures {tmp_path}/results.json" in found


def test_saved_model_is_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "models/random").mkdir(parents=True)
    found = lines(closing(findings(TWO), tmp_path))
    assert f"label texts headstart predict {tmp_path}/models/random FILE -o OUT" in found
