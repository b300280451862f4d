"""What a study ends with, as plain text: tables of results and grids, conclusions, and next steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headstart.analysis.findings import Findings, make_findings
from headstart.records import RunRecord, StoppingRule, StudyWarning
from headstart.report.study_summary import render_grid_table, render_results_table, render_study_summary
from studies import ByArm, findings_of, make_record, make_study, rendered_lines

TWO: ByArm = {"pretrained": (0.8, 0.9), "random": (0.6, 0.6)}
LOW, HIGH = 1e-5, 1e-4


def results(findings: Findings, width: int = 200) -> list[str]:
    return rendered_lines(render_results_table(findings), width)


def test_row_holds_mean_deviation_seeds_and_difference() -> None:
    lines = results(findings_of(TWO))
    assert "pretrained 85.0 ± 7.1 80.0 90.0 +25.0 [-38.5, +88.5] undecided" in lines
    assert "random 60.0 ± 0.0 60.0 60.0 control" in lines


def test_caption_names_the_rule_of_selection_and_what_intervals_cover() -> None:
    caption = " ".join(results(findings_of(TWO)))
    assert "test accuracy at each run's best epoch on valid; ± is the sample deviation over seeds" in caption
    assert "in brackets 95% over seeds" in caption
    assert "test examples" not in caption


def test_caption_says_where_test_examples_are_in_the_interval() -> None:
    findings = findings_of(TWO)
    known = tuple(row.model_copy(update={"test_examples": 24}) for row in findings.contrasts)
    assert "in brackets 95% over seeds and test examples" in " ".join(
        results(replace(findings, contrasts=known))
    )


def test_seeds_that_were_added_show_the_interval_that_allows_for_it() -> None:
    findings = findings_of(TWO)
    rule = StoppingRule(metric="accuracy", width=2.0, most_seeds=20)
    ends = {"sequence_low": 0.1, "sequence_high": 0.4}
    rows = tuple(
        row.model_copy(update=ends | {"median_difference": 0.26, "difference": 0.25})
        for row in findings.contrasts
    )
    lines = results(replace(findings, contrasts=rows, stopping_rule=rule))
    assert "pretrained 85.0 ± 7.1 80.0 90.0 +26.0 [+10.0, +40.0] undecided" in lines
    shown = " ".join(lines)
    assert "in brackets 95% at any number of seeds, of the median, over seeds, on this test set" in shown
    assert "vs random, points, median" in shown
    by_t = results(replace(findings, contrasts=rows, stopping_rule=rule.model_copy(update={"sequence": "t"})))
    assert "pretrained 85.0 ± 7.1 80.0 90.0 +25.0 [+10.0, +40.0] undecided" in by_t
    assert "95% at any number of seeds, if differences are normal" in " ".join(by_t)


def test_caption_says_for_how_many_looks_intervals_hold() -> None:
    findings = findings_of(TWO)
    rows = tuple(row.model_copy(update={"n_looks": 2}) for row in findings.contrasts)
    assert "in brackets 95% over seeds, for 2 looks" in " ".join(results(replace(findings, contrasts=rows)))


def test_single_seed_has_no_deviation_and_no_interval() -> None:
    assert "pretrained 80.0 80.0 +20.0 undecided" in results(
        findings_of({"pretrained": (0.8,), "random": (0.6,)})
    )


def test_failed_runs_show_as_gaps() -> None:
    lines = results(findings_of({"pretrained": (None, 0.9), "random": (None, None)}))
    assert "pretrained 90.0 - 90.0 -" in lines
    assert "random failed - - control" in lines


def test_sizes_have_a_column_of_their_own() -> None:
    lines = results(findings_of(TWO, sizes=[4, "all"]))
    assert "pretrained all 85.0 ± 7.1 80.0 90.0 +25.0 [-38.5, +88.5] undecided" in lines
    assert "pretrained 4 - - - -" in lines


def test_without_a_control_there_is_no_difference() -> None:
    assert "pretrained 85.0 ± 7.1 80.0 90.0" in results(findings_of({"pretrained": (0.8, 0.9)}))


def test_differences_of_what_is_no_share_have_no_unit() -> None:
    findings = findings_of(TWO, select={"metric": "loss"})
    assert "arm test loss each seed vs random verdict" in results(findings)
    assert any("vs random, points" in line for line in results(findings_of(TWO)))


def test_question_with_brackets_is_shown_as_it_is() -> None:
    assert "Is [bold] a word?" in results(findings_of(TWO, question="Is [bold] a word?"))


def grid(valid: Mapping[float, Sequence[float | None]], arm: str = "pretrained") -> list[RunRecord]:
    """Runs of an arm that reached these valid accuracies by rate, and 50% on test."""
    return [
        make_record(arm, seed, value, hyperparameters={"learning_rate": rate}, **scores(value))
        for rate, values in valid.items()
        for seed, value in enumerate(values)
    ]


def scores(valid: float | None) -> dict[str, Any]:
    return {} if valid is None else {"valid": {"accuracy": valid}, "test": {"accuracy": 0.5}}


def tuned(records: Sequence[RunRecord], **changes: Any) -> Findings:
    return make_findings(
        make_study(**({"seeds": 2, "tune": {"learning_rate": [LOW, HIGH], "seeds": "shared"}} | changes)),
        records,
        (),
    )


def test_results_name_the_chosen_grid_point() -> None:
    lines = results(tuned(grid({LOW: (0.7, 0.7), HIGH: (0.6, 0.9)})))
    assert "pretrained rate 1e-4 50.0 ± 0.0 50.0 50.0 -" in lines
    assert not any("chosen" in line for line in results(findings_of(TWO)))


def test_grid_table_marks_the_chosen_cell_in_plain_text() -> None:
    lines = rendered_lines(render_grid_table(tuned(grid({LOW: (0.7, None), HIGH: (0.6, 0.9)}))))
    assert "pretrained 70.0 (1 of 2) * 75.0 ± 21.2" in lines
    assert "random - -" in lines
    assert "* is the grid point chosen: for each arm and size, the grid point" in " ".join(lines)


def test_grid_table_leaves_cells_of_other_grids_empty() -> None:
    arms = {
        "pretrained": {"tune": {"learning_rate": [1e-3], "seeds": "shared"}},
        "random": {"init": "random"},
        "words": None,
    }
    records = [*grid({1e-3: (None, None)}), *grid({LOW: (0.7, 0.7), HIGH: (0.6, 0.9)}, "random")]
    lines = rendered_lines(render_grid_table(tuned(records, arms=arms, confounded=True)))
    assert "arm rate 0.001 rate 1e-5 rate 1e-4" in lines
    assert "pretrained failed" in lines
    assert "random 70.0 ± 0.0 * 75.0 ± 21.2" in lines


def test_summary_holds_grid_conclusions_warnings_and_failures(tmp_path: Path) -> None:
    warning = StudyWarning(kind="leak", message="2 examples of test (1.0%) are also in train")
    findings = findings_of({"pretrained": (0.8, None), "random": (0.6, 0.6)}, warning)
    lines = rendered_lines(render_study_summary(findings, tmp_path))
    assert "! 2 examples of test (1.0%) are also in train" in lines
    assert "failed: pretrained/all/1: loss nan" in lines
    assert "One seed gives no interval; use seeds=3 or more." in lines
    assert f"all findings {tmp_path}/results.json" in lines
    assert not any("grid point" in line for line in lines)
    with_grid = rendered_lines(render_study_summary(tuned(grid({LOW: (0.7, 0.7)})), tmp_path))
    assert "valid accuracy at each grid point" in with_grid


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, "label texts headstart predict {model} FILE -o OUT"),
        (
            {"task": "instruction", "arms": {"random": {}, "base": {"method": "none"}}},
            'answer a prompt headstart generate {model} "a prompt"',
        ),
    ],
    ids=["classification", "instruction"],
)
def test_saved_model_is_pointed_at(tmp_path: Path, changes: dict[str, Any], step: str) -> None:
    model = tmp_path / "models" / "random"
    model.mkdir(parents=True)
    findings = make_findings(make_study(**changes), (), ())
    lines = rendered_lines(render_study_summary(findings, tmp_path))
    assert f"model {model}" in lines
    assert step.format(model=model) in lines


@pytest.mark.parametrize(
    ("files", "step"),
    [
        (
            ["model.safetensors", "config.json"],
            'in Python transformers.pipeline("text-classification", model="{model}")',
        ),
        (["adapter_config.json"], "whole model headstart export {model} -o FOLDER --merge"),
        (["words.json", "words.safetensors"], "label texts headstart predict {model} FILE -o OUT"),
    ],
    ids=["whole", "adapter", "words"],
)
def test_the_best_arms_model_is_pointed_at_with_what_loads_it(
    files: list[str], step: str, tmp_path: Path
) -> None:
    for arm in ("pretrained", "random"):
        (tmp_path / "models" / arm).mkdir(parents=True)
    model = tmp_path / "models" / "random"
    for name in files:
        (model / name).write_text("{}")
    findings = findings_of({"pretrained": (0.6, 0.6), "random": (0.8, 0.7)})
    lines = rendered_lines(render_study_summary(findings, tmp_path))
    assert f"model {model}" in lines
    assert step.format(model=model) in " ".join(lines)
    assert ("in Python" in " ".join(lines)) == ("config.json" in files)


def test_without_a_saved_model_none_is_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").mkdir()
    lines = rendered_lines(render_study_summary(findings_of(TWO), tmp_path))
    assert not any("headstart predict" in line or line.startswith("model") for line in lines)
    assert f"curves tensorboard --logdir {tmp_path}/tensorboard" in lines


def test_seeds_that_are_judged_at_several_points_are_counted() -> None:
    """Seed 2 is judged at the point that the others choose, and they at the one that it decides."""
    valid = {LOW: (0.7, 0.7, 0.1), HIGH: (0.6, 0.6, 0.9)}
    findings = tuned(grid(valid), seeds=3)
    assert "pretrained rate 1e-4 (2); rate 1e-5 (1) 50.0 ± 0.0 50.0 50.0 50.0 -" in results(findings)
    caption = " ".join(rendered_lines(render_grid_table(findings)))
    assert (
        "each seed is evaluated at the point that the other seeds choose, chosen without the seed it "
        "is evaluated on"
    ) in caption
