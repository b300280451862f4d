"""Results as data frames and in a line: a row for each run, each epoch, each contrast."""

from __future__ import annotations

from pathlib import Path

from headstart.analysis.findings import make_findings
from headstart.analysis.results import Results
from studies import LAB, findings_of, make_record, make_study

EPOCHS = [
    {"epoch": i, "step": 7 * i, "train_loss": 1 / i, "learning_rate": 0.1, "seconds": 1.0}
    | {"valid": {"accuracy": i / 10}}
    for i in (1, 2)
]


def test_a_run_is_a_row_with_its_metrics() -> None:
    frame = Results(findings_of({**LAB, "other": (0.5, None, 0.7)}), Path("out")).frame()
    assert len(frame) == 9
    of_key = frame.set_index("key")
    assert of_key.loc["pretrained/all/2", "test_accuracy"] == 0.825
    assert of_key.loc["pretrained/all/2", "valid_loss"] == 1 - 0.825
    assert of_key.loc["other/all/1", "status"] == "failed"
    assert frame["test_accuracy"].dtype == "float64"
    means = frame.groupby("arm")["test_accuracy"].mean()
    assert means["random"] == 0.635


def test_grid_points_are_columns() -> None:
    study = make_study(tune={"learning_rate": [1e-4, 1e-3]}, seeds=1)
    records = [
        make_record(
            "pretrained", 1000, 0.5, hyperparameters={"learning_rate": rate}, for_tuning=True, test=None
        )
        for rate in (1e-4, 1e-3)
    ]
    results = Results(make_findings(study, records, ()), Path("out"))
    assert results.frame()["learning_rate"].tolist() == [1e-4, 1e-3]
    assert results.frame("grid")["learning_rate"].tolist()[:2] == [1e-4, 1e-3]


def test_an_epoch_is_a_row_of_curves() -> None:
    record = make_record("pretrained", 0, 0.2, epochs=EPOCHS, best_epoch=2)
    results = Results(make_findings(make_study(seeds=1), [record], ()), Path("out"))
    frame = results.frame("curves")
    assert frame[["epoch", "train_loss", "valid_accuracy", "is_best"]].to_numpy().tolist() == [
        [1, 1.0, 0.1, False],
        [2, 0.5, 0.2, True],
    ]
    assert [point.epoch for point in results.curves["pretrained/all/0"]] == [1, 2]


def test_rows_of_findings_are_those_of_json() -> None:
    findings = findings_of(LAB)
    results, values = Results(findings, Path("out")), findings.to_dict()
    for name in ("summary", "contrasts", "outcomes", "label_worth"):
        frame = results.frame(name)
        assert len(frame) == len(values[name])
        assert findings.frame(name).equals(frame)
    row = results.frame("contrasts").iloc[0]
    assert row["difference"] == values["contrasts"][0]["difference"]
    assert row["one_run_probability"] == values["contrasts"][0]["one_run"]["probability"]


def test_a_line_says_how_many_runs_ended() -> None:
    results = Results(findings_of({"a": (0.5, None)}), Path("out"))
    assert repr(results) == "<Results: out, a: 1 run done, 1 failed, 1 missing>"
    assert repr(results.findings).startswith("<Findings: ")
    assert max(len(repr(run)) for run in results.records) < 160
