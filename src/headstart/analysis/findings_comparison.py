"""A study's findings by one metric as the comparison of `headstart compare`; nothing is computed anew."""

from __future__ import annotations

from headstart.analysis.comparison import Comparison
from headstart.analysis.findings import Findings
from headstart.analysis.grid_search import describe_choice
from headstart.analysis.scores import ArmScores
from headstart.analysis.study_runs import list_cells
from headstart.config.metrics import describe_metric


def compare_findings(findings: Findings, metric: str) -> Comparison:
    """The rows of `findings` that are of `metric`; worth, ranking and reference only of the study's own."""
    study, is_main = findings.study, metric == findings.study.metric
    contrasts = tuple(row for row in findings.contrasts if row.metric == metric)
    return Comparison(
        source=study.out,
        info=describe_metric(metric),
        control=study.control_arm,
        margin=findings.margin if is_main else None,
        scores=tuple(_list_scores(findings, metric)),
        summary=tuple(row for row in findings.summary if row.metric == metric),
        contrasts=contrasts,
        label_worth=findings.label_worth if is_main else (),
        step_worth=findings.step_worth if is_main else (),
        stopping_rule=findings.stopping_rule,
        earlier_looks=() if findings.stopping_rule else findings.earlier_looks,
        grid_choice=describe_choice(study) if is_main else "",
        outcomes=findings.outcomes,
        ranking=findings.ranking if is_main else None,
        answers=findings.answers,
        reference=findings.reference,
    )


def _list_scores(findings: Findings, metric: str) -> list[ArmScores]:
    """Scores by seed alone: what is computed of single examples is in the rows."""
    scores = []
    for size, arm in list_cells(findings.study):
        runs = [run for run in findings.select_chosen(arm, size) if run.test and metric in run.test]
        if runs:
            by_seed = {run.seed: run.test[metric] for run in runs if run.test}
            scores.append(ArmScores(arm, size, runs[0].train_examples, by_seed))
    return scores
