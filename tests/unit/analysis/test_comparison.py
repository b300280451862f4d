"""A comparison as plain values: every row, under the names of the records."""

from __future__ import annotations

import json

from headstart.analysis.comparison import Comparison
from headstart.config.metrics import describe_metric
from headstart.records import Contrast, Margin, StoppingRule, SummaryRow
from studies import findings_of


def test_plain_values_are_the_records_rows() -> None:
    findings = findings_of()
    rule = StoppingRule(metric="accuracy", width=2.0, most_seeds=20)
    comparison = Comparison(
        source="runs/x",
        info=describe_metric("accuracy"),
        control="random",
        margin=Margin(value=0.5, stated="after the results"),
        scores=(),
        summary=findings.summary,
        contrasts=findings.contrasts,
        stopping_rule=rule,
    )
    values = json.loads(json.dumps(comparison.to_dict()))
    assert [SummaryRow.model_validate(row) for row in values["summary"]] == list(findings.summary)
    assert [Contrast.model_validate(row) for row in values["contrasts"]] == list(findings.contrasts)
    assert StoppingRule.model_validate(values["stopping_rule"]) == rule
    assert {key: values[key] for key in ("schema_version", "source", "metric", "control", "margin")} == {
        "schema_version": 2,
        "source": "runs/x",
        "metric": "accuracy",
        "control": "random",
        "margin": {"value": 0.5, "stated": "after the results"},
    }
    assert (values["label_worth"], values["step_worth"]) == ([], [])
