"""A tuned arm's setting is chosen on valid, by its mean over seeds; a grid that may end too soon is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from headstart.config.study import Study
from headstart.records import GridRow, RunRecord
from headstart.report.card import model_card
from headstart.report.findings import Findings, find
from headstart.report.table import grid_table, results_table
from headstart.report.tuning import best_run, in_words, rule

LOW, HIGH = 1e-5, 1e-4
#: Valid metrics of each setting by seed; None for a run that failed.
Valid = Mapping[float, Sequence[float | None]]
GRID: Valid = {LOW: (0.7, 0.7), HIGH: (0.6, 0.9)}


def study(**changes: Any) -> Study:
    arms = {"a": {}, "r": {"init": "random"}, "words": None}
    base = {"data": {"path": "a.csv"}, "model": "m", "arms": arms, "seeds": 2}
    return Study.model_validate(base | {"tune": {"learning_rate": [LOW, HIGH]}} | changes)


def record(
    rate: float, seed: int, valid: float | None, *, test: float = 0.5, arm: str = "a", size: Any = "all"
) -> RunRecord:
    done = {"valid": {"accuracy": valid}, "test": {"accuracy": test}, "status": "done"}
    failed = {"status": "failed", "error": "loss nan"}
    place = {"arm": arm, "size": size, "seed": seed, "setting": {"learning_rate": rate}, "texts": 8}
    return RunRecord.model_validate(place | (failed if valid is None else done))


def records(valid: Valid, **more: Any) -> list[RunRecord]:
    return [record(rate, seed, v, **more) for rate, all_v in valid.items() for seed, v in enumerate(all_v)]


def found(valid: Valid = GRID, *others: RunRecord, **changes: Any) -> Findings:
    """The findings of a study whose arm `a` reached these valid figures."""
    return find(study(**changes), [*records(valid), *others], ())


def chosen(findings: Findings, arm: str = "a") -> list[float]:
    return [row.setting["learning_rate"] for row in findings.tuning if row.arm == arm and row.chosen]


def lines(shown: RenderableType) -> list[str]:
    stream = StringIO()
    Console(file=stream, width=200).print(shown)
    return [" ".join(line.replace("│", " ").split()) for line in stream.getvalue().splitlines()]


# The choice


def test_best_mean_over_seeds_is_chosen() -> None:
    assert chosen(found()) == [HIGH]


def test_grid_row_holds_the_figures() -> None:
    row = found().tuning[1]
    assert row.std == pytest.approx(0.2121320)
    rest = {"n": 2, "mean": 0.75, "failed": 0, "chosen": True, "std": row.std}
    place = {"arm": "a", "size": "all", "setting": {"learning_rate": HIGH}, "metric": "accuracy"}
    assert row == GridRow.model_validate(place | rest)


def test_the_test_has_no_say() -> None:
    runs = [record(LOW, s, 0.8, test=0.1) for s in (0, 1)] + [record(HIGH, s, 0.7, test=0.9) for s in (0, 1)]
    findings = find(study(), runs, ())
    assert chosen(findings) == [LOW]
    (row,) = (s for s in findings.summary if s.arm == "a")
    assert row.n == 2
    assert row.mean == pytest.approx(0.1)


def test_loss_is_better_when_lower() -> None:
    runs = [
        r.model_copy(update={"valid": {"loss": (r.valid or {})["accuracy"]}, "test": {"loss": 1.0}})
        for r in records(GRID)
    ]
    assert chosen(find(study(select={"metric": "loss"}), runs, ())) == [LOW]


def test_of_equals_the_earlier_in_the_grid_is_chosen() -> None:
    equal = {LOW: (0.5, 0.7), HIGH: (0.7, 0.5)}
    assert chosen(found(equal)) == [LOW]
    assert chosen(found(equal, tune={"learning_rate": [HIGH, LOW]})) == [HIGH]


def test_setting_with_a_failed_seed_is_no_candidate() -> None:
    findings = found({LOW: (0.6, 0.6), HIGH: (0.9, None)})
    assert chosen(findings) == [LOW]
    assert [(row.n, row.failed) for row in findings.tuning[:2]] == [(2, 0), (1, 1)]


def test_setting_with_a_missing_seed_is_no_candidate() -> None:
    assert chosen(found({LOW: (0.6, 0.6), HIGH: (0.9,)})) == [LOW]


def test_where_none_is_whole_the_most_seeds_count_first() -> None:
    valid = {LOW: (0.6, 0.6, None), HIGH: (0.9, None, None)}
    assert chosen(found(valid, seeds=3)) == [LOW]


def test_figure_that_is_no_number_is_not_chosen() -> None:
    assert chosen(found({LOW: (float("nan"), 0.9), HIGH: (0.1, 0.1)})) == [HIGH]


def test_arm_of_which_every_run_failed_has_no_setting() -> None:
    findings = found({LOW: (None, None), HIGH: (None, None)})
    assert chosen(findings) == []
    assert (findings.setting("a", "all"), findings.values("a", "all", "accuracy")) == (None, {})
    assert best_run(study(), findings.records, findings.tuning, "a") is None


def test_each_arm_and_size_has_its_own_setting() -> None:
    runs = [
        record(rate, seed, 0.9 if rate == best else 0.1, arm=arm, size=size)
        for (arm, size), best in {("a", 4): LOW, ("a", 8): HIGH, ("r", 4): HIGH, ("r", 8): LOW}.items()
        for rate in (LOW, HIGH)
        for seed in (0, 1)
    ]
    findings = find(study(sizes=[4, 8]), runs, ())
    assert (chosen(findings, "a"), chosen(findings, "r")) == ([LOW, HIGH], [HIGH, LOW])
    assert findings.setting("a", 8) == {"learning_rate": HIGH}


def test_contrast_is_between_the_chosen_settings() -> None:
    mine = [record(r, s, r, test=0.8 if r == HIGH else 0.1) for r in (LOW, HIGH) for s in (0, 1)]
    theirs = [record(r, s, -r, test=0.6 if r == LOW else 0.9, arm="r") for r in (LOW, HIGH) for s in (0, 1)]
    (row,) = find(study(), [*mine, *theirs], ()).contrasts
    assert row.difference == pytest.approx(0.2)


def test_every_run_is_kept_in_the_records_setting_by_setting() -> None:
    keys = [r.key for r in found().records]
    assert keys == [f"a/all/{s}/learning_rate={rate:g}" for rate in (LOW, HIGH) for s in (0, 1)]


def test_settings_that_the_study_does_not_try_do_not_count() -> None:
    assert [row.n for row in found(GRID, record(1e-3, 0, 0.99)).tuning if row.arm == "a"] == [2, 2]


def test_study_without_a_grid_has_no_rows() -> None:
    findings = find(study(tune=None), (), ())
    assert (findings.tuning, findings.notices, findings.setting("a", "all")) == ((), (), {})


def test_best_run_is_of_the_chosen_setting_even_where_another_run_beats_it() -> None:
    valid = {LOW: (0.99, 0.1), HIGH: (0.6, 0.7)}
    findings = found(valid)
    best = best_run(study(), findings.records, findings.tuning, "a")
    assert best is not None
    assert best.key == "a/all/1/learning_rate=0.0001"


def test_of_equal_runs_the_first_key_is_the_best() -> None:
    findings = found({LOW: (0.1, 0.1), HIGH: (0.7, 0.7)})
    best = best_run(study(), tuple(reversed(findings.records)), findings.tuning, "a")
    assert best is not None
    assert best.seed == 0


# Grids that may end too soon


@pytest.mark.parametrize(
    ("rates", "best", "said"),
    [
        (
            [1e-5, 1e-4],
            1e-4,
            ["a: the best learning_rate, 0.0001, is the largest tried; a larger one may be"],
        ),
        (
            [1e-5, 1e-4],
            1e-5,
            ["a: the best learning_rate, 1e-05, is the smallest tried; a smaller one may be"],
        ),
        ([1e-4, 1e-5], 1e-4, ["a: the best learning_rate, 0.0001, is the largest tried"]),
        ([1e-5, 1e-4, 1e-3], 1e-4, []),
        ([1e-4], 1e-4, []),
    ],
)
def test_value_at_the_edge_is_told(rates: list[float], best: float, said: list[str]) -> None:
    valid = {rate: (0.9, 0.9) if rate == best else (0.1, 0.1) for rate in rates}
    texts = [notice.text for notice in found(valid, tune={"learning_rate": rates}).notices]
    assert len(texts) == len(said)
    assert all(text.startswith(start) for text, start in zip(texts, said, strict=True))


def test_no_weight_decay_is_no_edge() -> None:
    runs = [
        r.model_copy(update={"setting": {"weight_decay": decay}})
        for decay, valid in ((0.0, 0.9), (0.1, 0.1))
        for r in records({LOW: (valid, valid)})
    ]
    assert find(study(tune={"weight_decay": [0, 0.1]}), runs, ()).notices == ()


def test_edge_names_the_size_where_there_are_several() -> None:
    runs = records(GRID, size=4)
    (notice,) = find(study(sizes=[4, 8]), runs, ()).notices
    assert notice.text.startswith("a (4 texts): the best learning_rate, 0.0001, is the largest")


# What is shown


def test_table_names_the_chosen_setting() -> None:
    assert "a rate 0.0001 50.0 ± 0.0 50.0 50.0 -" in lines(results_table(found()))
    assert not any("chosen" in line for line in lines(results_table(find(study(tune=None), (), ()))))


def test_grid_table_marks_the_chosen_cell_in_plain_text() -> None:
    shown = lines(grid_table(found({LOW: (0.7, None), HIGH: (0.6, 0.9)})))
    assert "a 70.0 (1 of 2) * 75.0 ± 21.2" in shown
    assert "r - -" in shown
    assert "* is the setting chosen: for each arm and size, the setting" in " ".join(shown)


def test_grid_table_leaves_cells_of_other_grids_empty() -> None:
    arms = {"a": {"tune": {"learning_rate": [1e-3]}}, "r": {"init": "random"}, "words": None}
    shown = lines(
        grid_table(found({1e-3: (None, None)}, *records(GRID, arm="r"), arms=arms, confounded=True))
    )
    assert "┃ arm ┃ rate 0.001 ┃ rate 1e-05 ┃ rate 0.0001 ┃" in shown
    assert "a failed" in shown
    assert "r 70.0 ± 0.0 * 75.0 ± 21.2" in shown


def test_setting_in_words() -> None:
    assert in_words({"learning_rate": 3e-5, "weight_decay": 0.1}) == "rate 3e-05, decay 0.1"
    assert "mean valid macro_f1 over seeds" in rule("macro_f1")


@pytest.mark.parametrize("tuned", [True, False])
def test_card_tells_the_setting(tuned: bool) -> None:
    of = study() if tuned else study(tune=None)
    run = record(HIGH, 0, 0.75).model_copy(update={} if tuned else {"setting": {}})
    card = model_card(run, of, ("x", "y"))
    said = "Chosen on valid: learning_rate 0.0001, of 2 settings tried.\nOf the arm's runs with the setting "
    assert (said in card) is tuned
    assert ("Chosen" in card) is tuned
