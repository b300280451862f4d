"""Records become summaries, contrasts and sentences that a person can repeat."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.config.study import Study
from headstart.records import RunRecord
from headstart.report.findings import Findings, find
from headstart.report.meaning import meaning
from headstart.report.numbers import number, unit

PRETRAINED = (0.815, 0.78, 0.825)
RANDOM = (0.625, 0.645, 0.635)


def study(**changes: Any) -> Study:
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": None}
    return Study.model_validate({"data": {"path": "a.csv"}, "model": "m", "arms": arms} | changes)


def record(
    arm: str, seed: int, value: float | None, size: Any = "all", metric: str = "accuracy"
) -> RunRecord:
    """A run that reached `value` on test; a failed one for None."""
    scores = None if value is None else {metric: value, "loss": 1 - value}
    return RunRecord.model_validate(
        {
            "arm": arm,
            "size": size,
            "seed": seed,
            "status": "failed" if value is None else "done",
            "texts": 8,
            "valid": scores,
            "test": scores,
            "error": "loss nan" if value is None else None,
        }
    )


def found(
    pretrained: tuple[float | None, ...] = PRETRAINED,
    random: tuple[float | None, ...] = RANDOM,
    **changes: Any,
) -> Findings:
    runs = [record("pretrained", seed, value) for seed, value in enumerate(pretrained)]
    runs += [record("random", seed, value) for seed, value in enumerate(random)]
    return find(study(**changes), runs, ())


def test_laboratory_table() -> None:
    rows = {(row.arm, row.metric): row for row in found().summary}
    assert rows["random", "accuracy"].mean == pytest.approx(0.635)
    assert rows["random", "accuracy"].n == 3
    assert rows["pretrained", "accuracy"].mean == pytest.approx(0.80667, abs=1e-5)
    (row,) = (row for row in found().contrasts if row.metric == "accuracy")
    assert (row.arm, row.control, row.verdict) == ("pretrained", "random", "better")
    assert row.difference == pytest.approx(0.17167, abs=1e-5)


def test_verdict_sentence() -> None:
    assert meaning(found()) == [
        "pretrained beats random by 17.2 points: 80.7 against 63.5 accuracy on test "
        "(95% interval +9.3 to +25.1, 3 seeds)."
    ]


def test_loss_that_falls_is_better() -> None:
    (row,) = (row for row in found().contrasts if row.metric == "loss")
    assert (row.difference < 0, row.verdict) == (True, "better")


def test_worse_arm_is_told() -> None:
    assert meaning(found(RANDOM, PRETRAINED))[0].startswith("pretrained is behind random by 17.2 points: ")


def test_undecided_is_told() -> None:
    (sentence,) = meaning(found((0.7, 0.8, 0.75), (0.75, 0.7, 0.76)))
    assert sentence.startswith("Between pretrained and random nothing is decided: 75.0 against 73.7 accuracy")


def test_one_seed_is_warned_of() -> None:
    assert meaning(found((0.9,), (0.5,), seeds=1)) == [
        "Between pretrained and random nothing is decided: 90.0 against 50.0 accuracy on test (one seed).",
        "One seed says nothing about chance: run with seeds=3 or more.",
    ]


def test_two_seeds_are_said_to_be_few() -> None:
    assert meaning(found((0.9, 0.8), (0.5, 0.6), seeds=2))[-1].startswith("Two seeds are few")
    assert not any("Two seeds" in sentence for sentence in meaning(found()))


def test_failed_run_leaves_its_pair_out() -> None:
    findings = found((None, 0.78, 0.825))
    (row,) = (row for row in findings.contrasts if row.metric == "accuracy")
    assert row.n == 2
    assert row.difference == pytest.approx(0.1625)
    assert [r.key for r in findings.failed] == ["pretrained/all/0"]


def test_arm_whose_every_run_failed_has_no_rows() -> None:
    findings = found((None, None, None))
    assert {row.arm for row in findings.summary} == {"random"}
    assert findings.contrasts == ()
    assert meaning(findings) == []


def test_records_stand_in_the_studys_order() -> None:
    runs = [
        record(arm, seed, 0.5, size) for arm in ("random", "pretrained") for seed in (1, 0) for size in (4, 2)
    ]
    findings = find(study(seeds=2, sizes=[2, 4]), runs, ())
    assert [r.key for r in findings.records][:4] == [
        "pretrained/2/0",
        "pretrained/2/1",
        "random/2/0",
        "random/2/1",
    ]


def test_records_of_seeds_not_asked_for_do_not_count() -> None:
    assert [r.seed for r in found(seeds=[1]).records] == [1, 1]


def test_sentences_are_of_the_last_size() -> None:
    runs = [
        record(arm, 0, value, size)
        for size in (2, 4)
        for arm, value in (("pretrained", size / 10), ("random", 0.1))
    ]
    assert meaning(find(study(seeds=1, sizes=[2, 4]), runs, ()))[0].endswith(
        "40.0 against 10.0 accuracy on test (one seed)."
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
    assert number(metric, value, signed=signed) == text


def test_differences_of_shares_are_points() -> None:
    assert (unit("macro_f1"), unit("rmse")) == ("points", "rmse")
