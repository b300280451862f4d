"""Records become summaries and contrasts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from headstart.analysis.findings import make_findings
from headstart.records import SCHEMA_VERSION, Look, StoppingRule, StudyWarning
from headstart.store.prediction_tables import Predictions
from headstart.store.prediction_writer import open_predictions
from headstart.store.predictions import read_predictions
from headstart.tasks.columns import ClassColumns
from studies import findings_of, make_record, make_study


def test_laboratory_table() -> None:
    findings = findings_of()
    rows = {(row.arm, row.metric): row for row in findings.summary}
    assert rows["random", "accuracy"].mean == pytest.approx(0.635)
    assert rows["random", "accuracy"].n_seeds == 3
    assert rows["random", "accuracy"].std_population == pytest.approx(0.00816, abs=1e-5)
    assert rows["pretrained", "accuracy"].mean == pytest.approx(0.80667, abs=1e-5)
    (row,) = (row for row in findings.contrasts if row.metric == "accuracy")
    assert (row.arm, row.control, row.verdict) == ("pretrained", "random", "better")
    assert row.difference == pytest.approx(0.17167, abs=1e-5)
    assert [of_seed.seed for of_seed in row.each_seed] == [0, 1, 2]


def test_loss_that_falls_is_better() -> None:
    (row,) = (row for row in findings_of().contrasts if row.metric == "loss")
    assert (row.difference < 0, row.verdict) == (True, "better")
    assert row.fiducial_prob_better is not None
    assert row.fiducial_prob_better > 0.975


def test_failed_run_leaves_its_pair_out() -> None:
    findings = findings_of({"pretrained": (None, 0.78, 0.825), "random": (0.625, 0.645, 0.635)})
    (row,) = (row for row in findings.contrasts if row.metric == "accuracy")
    assert row.n_seeds == 2
    assert row.difference == pytest.approx(0.1625)
    assert [r.key for r in findings.failed] == ["pretrained/all/0"]


def test_arm_whose_every_run_failed_has_no_rows() -> None:
    findings = findings_of({"pretrained": (None, None, None), "random": (0.6, 0.7, 0.65)})
    assert {row.arm for row in findings.summary} == {"random"}
    assert findings.contrasts == ()


def test_rows_stand_size_by_size_and_metric_by_metric() -> None:
    runs = [make_record(arm, 0, 0.5, size=size) for arm in ("random", "pretrained") for size in (4, 2)]
    findings = make_findings(make_study(seeds=1, sizes=[2, 4]), runs, ())
    assert [(row.size, row.arm, row.metric) for row in findings.summary] == [
        (size, arm, metric)
        for size in (2, 4)
        for arm in ("pretrained", "random")
        for metric in ("accuracy", "loss")
    ]


def test_seeds_that_were_added_let_verdicts_follow_the_confidence_sequence() -> None:
    """Three seeds have none, however clear their differences."""
    rule = StoppingRule(metric="accuracy", width=1.0, most_seeds=20)
    before = findings_of()
    findings = make_findings(before.study, before.records, (), stopping_rule=rule)
    assert {row.verdict for row in before.contrasts} == {"better"}
    assert {row.verdict for row in findings.contrasts} == {"undecided"}
    assert findings.stopping_rule == rule


def test_metrics_beside_the_rules_share_its_chance_among_all() -> None:
    """Two metrics, so that of seven seeds the study's own has a sequence, and the other none yet."""
    seven = findings_of({"pretrained": [0.5 + i / 100 for i in range(7)], "random": [0.5] * 7})
    rule = StoppingRule(metric="accuracy", width=1.0, most_seeds=20)
    findings = make_findings(seven.study, seven.records, (), stopping_rule=rule)
    of_metric = {row.metric: row for row in findings.contrasts}
    assert (of_metric["accuracy"].n_tests, of_metric["loss"].n_tests) == (1, 2)
    assert (of_metric["accuracy"].sequence_low, of_metric["loss"].sequence_low) == (0.0, None)


def test_a_study_that_grew_is_judged_at_the_chance_of_its_look() -> None:
    """Which tells in intervals, p and the verdict; a later look at the same seeds is none."""
    once = findings_of({"pretrained": (0.7, 0.62, 0.69), "random": (0.6, 0.56, 0.61)})
    (first,) = (row for row in once.contrasts if row.metric == "accuracy")
    looks = [Look(time="t", seeds=seeds, headstart="1", margin=None) for seeds in ((0,), (0, 1), (0, 1, 2))]
    grown = make_findings(once.study, once.records, (), looks=looks)
    (second,) = (row for row in grown.contrasts if row.metric == "accuracy")
    assert (first.n_looks, second.n_looks) == (1, 2)
    assert first.p == second.p
    assert first.p_adjusted is not None
    assert second.p_adjusted == pytest.approx(12 * first.p_adjusted)
    assert (first.low, first.high) == (second.low, second.high)
    differences = np.array([0.1, 0.06, 0.08])
    reach = stats.t.ppf(1 - 0.05 / 12 / 2, 2) * differences.std(ddof=1) / np.sqrt(3)
    assert (second.family_low, second.family_high) == pytest.approx((0.08 - reach, 0.08 + reach))
    assert (first.verdict, second.verdict) == ("better", "undecided")
    assert grown.to_dict()["looks"] == [look.model_dump(mode="json") for look in looks]


def test_values_for_json_hold_everything_and_their_version() -> None:
    findings = findings_of(
        {"pretrained": (0.7, 0.8), "random": (0.6, None)}, StudyWarning(kind="leak", message="2 are in train")
    )
    values = json.loads(json.dumps(findings.to_dict()))
    assert values["schema_version"] == SCHEMA_VERSION == 2
    assert [run["status"] for run in values["runs"]] == ["done", "done", "done", "failed"]
    assert [row["metric"] for row in values["contrasts"]] == ["accuracy", "loss"]
    assert values["warnings"] == [{"kind": "leak", "message": "2 are in train"}]
    assert values["grid_search"]["grid"] == []
    assert values["stopping_rule"] is None
    assert values["study"]["control"] is None


class _CountingReader:
    """Reads predictions of runs, and counts how often."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, list[str]()

    def __call__(self, key: str, metric: str) -> Predictions | None:
        self.asked.append(key)
        return read_predictions(self.folder / key.replace("/", "-"), metric)


def _write_classes(folder: Path, key: str, right: float, draws: np.random.Generator) -> dict[str, float]:
    """Predictions of 40 examples of two classes, about so many right; gives the accuracy."""
    y_true = np.arange(40) % 2
    share = np.where(draws.random(40) < right, 0.9, 0.2)
    probabilities = np.stack([np.where(y_true == c, share, 1 - share) for c in (0, 1)], 1)
    file = folder / key.replace("/", "-") / "predictions.parquet"
    with open_predictions(file, ClassColumns(("x", "y"))) as writer:
        writer.add(range(40), y_true, probabilities)
    losses = -np.log(probabilities[np.arange(40), y_true])
    return {"accuracy": float((share > 0.5).mean()), "macro_f1": 0.5, "loss": float(losses.mean())}


def test_predictions_of_a_run_are_read_once_for_all_metrics(tmp_path: Path) -> None:
    draws, records = np.random.default_rng(0), []
    for arm, right in (("pretrained", 0.9), ("random", 0.6)):
        for seed in range(2):
            scores = _write_classes(tmp_path, f"{arm}/all/{seed}", right, draws)
            records.append(make_record(arm, seed, 0.5, valid=scores, test=scores))
    reader = _CountingReader(tmp_path)
    findings = make_findings(make_study(seeds=2), records, (), reader)
    assert sorted(reader.asked) == sorted(record.key for record in records)
    assert {row.metric for row in findings.contrasts} == {"accuracy", "macro_f1", "loss"}
    assert {row.test_examples for row in findings.contrasts} == {40}
    assert all(row.examples_low is not None for row in findings.summary)


def test_tokens_and_answers_of_a_language_model_are_each_read_once(tmp_path: Path) -> None:
    """They lie in two files: loss, perplexity and token accuracy are of tokens, the others of answers."""
    import pyarrow.parquet as pq

    scores = {"loss": 1.0, "perplexity": 2.7, "token_accuracy": 0.5, "exact_match": 0.5, "stopped": 1.0}
    records = []
    for seed in range(2):
        folder = tmp_path / f"full-all-{seed}"
        folder.mkdir()
        ids = pa.array(range(6), pa.int64())
        tokens: dict[str, Any] = {"id": ids, "tokens": [4] * 6, "right": [2] * 6, "loss": [4.0 + seed] * 6}
        pq.write_table(pa.table(tokens), folder / "tokens.parquet")
        answers = {"id": ids, "response": ["a"] * 6, "answer": ["a", "b"] * 3, "stopped": [True] * 6}
        pq.write_table(pa.table(answers), folder / "predictions.parquet")
        records.append(make_record("full", seed, 0.5, valid=scores, test=scores))
    study = make_study(
        task="instruction", arms={"full": {}, "base": {"method": "none"}}, control="base", seeds=2
    )
    reader = _CountingReader(tmp_path)
    findings = make_findings(study, records, (), reader)
    assert sorted(reader.asked) == [f"full/all/{seed}" for seed in (0, 0, 1, 1)]
    known = {row.metric: row.examples_low is not None for row in findings.summary}
    assert known == dict.fromkeys(scores, True)
