"""Computes findings from records: summaries, contrasts and worth; renders nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from headstart.analysis.baselines import compare_with_baselines
from headstart.analysis.collapse_words import warn_of_collapsed
from headstart.analysis.collapsed import mark_contrasts
from headstart.analysis.contrasts import compare_pairs, pair_with_control
from headstart.analysis.grid_search import describe_choice
from headstart.analysis.judging import choose_judging, find_margin, list_earlier_looks
from headstart.analysis.measured_tests import ReadPredictions
from headstart.analysis.outcomes import Collapses, find_collapses, list_outcomes
from headstart.analysis.ranking import Ranking, find_left_out, mark_ranking, rank_arms
from headstart.analysis.references import find_reference
from headstart.analysis.scores import collect_scores
from headstart.analysis.study_runs import StudyRuns, list_cells, order_runs
from headstart.analysis.worth import WorthTables, estimate_worths
from headstart.config.metrics import describe_metric
from headstart.config.study import Study
from headstart.records import (
    SCHEMA_VERSION,
    Contrast,
    Look,
    Margin,
    OutcomeRow,
    Reference,
    RunRecord,
    StoppingRule,
    StudyWarning,
    SummaryRow,
    WorthRow,
)
from headstart.records.answers import WrittenAnswers
from headstart.shown import Shown

#: Of the bootstrap: the default of `headstart compare`, so that both give the same figures.
_SEED: Final = 0


@dataclass(frozen=True, repr=False)
class Findings(Shown, StudyRuns, view="headstart.report.views.findings:FINDINGS"):
    """Everything that tables, conclusions and `results.json` show of a study.

    `collapses` say by key how runs collapsed, None where one did not; `reference` is what always giving the
    same answer scores.
    `baseline_contrasts` are of pretrained arms with baselines, as `baselines.compare_with_baselines`.
    """

    summary: tuple[SummaryRow, ...]
    contrasts: tuple[Contrast, ...]
    label_worth: tuple[WorthRow, ...] = ()
    step_worth: tuple[WorthRow, ...] = ()
    stopping_rule: StoppingRule | None = None
    margin: Margin | None = None
    looks: tuple[Look, ...] = ()
    outcomes: tuple[OutcomeRow, ...] = ()
    ranking: Ranking | None = None
    answers: WrittenAnswers | None = None
    collapses: Collapses = field(default_factory=dict)
    reference: Reference | None = None
    baseline_contrasts: tuple[Contrast, ...] = ()

    @property
    def earlier_looks(self) -> tuple[Look, ...]:
        """As `judging.list_earlier_looks`."""
        return list_earlier_looks(self.looks, self.study.seeds)

    def to_dict(self) -> dict[str, Any]:
        """The content of `results.json`; scores as they are, 0.825 and not 82.5."""
        rule = self.stopping_rule
        return {
            "schema_version": SCHEMA_VERSION,
            "study": self.study.model_dump(mode="json"),
            "runs": [self._dump_run(record) for record in self.records],
            "summary": [row.model_dump(mode="json") for row in self.summary],
            "contrasts": [row.model_dump(mode="json") for row in self.contrasts],
            "baseline_contrasts": [row.model_dump(mode="json") for row in self.baseline_contrasts],
            "outcomes": [row.model_dump(mode="json") for row in self.outcomes],
            "ranking": self.ranking.to_dict() if self.ranking else None,
            "reference": self.reference.model_dump(mode="json") if self.reference else None,
            "label_worth": [row.model_dump(mode="json") for row in self.label_worth],
            "step_worth": [row.model_dump(mode="json") for row in self.step_worth],
            "stopping_rule": rule.model_dump(mode="json") if rule else None,
            "margin": self.margin.model_dump(mode="json") if self.margin else None,
            "answers": self.answers.model_dump(mode="json") if self.answers else None,
            "looks": [look.model_dump(mode="json") for look in self.looks],
            "grid_search": {
                "rule": describe_choice(self.study),
                "grid": [row.model_dump(mode="json") for row in self.grid_rows],
                "judged_points": [row.model_dump(mode="json") for row in self.judged_points],
            },
            "warnings": [
                warning.model_dump(mode="json")
                for warning in (*self.warnings, *warn_of_collapsed(self.outcomes))
            ],
        }

    def _dump_run(self, record: RunRecord) -> dict[str, Any]:
        """The record, with how the run collapsed; null where it did not, absent where it is not known."""
        values = record.model_dump(mode="json")
        if record.key not in self.collapses:
            return values
        collapse = self.collapses[record.key]
        return values | {"collapse": collapse.model_dump(mode="json") if collapse else None}


def make_findings(
    study: Study,
    records: Sequence[RunRecord],
    warnings: Sequence[StudyWarning],
    read: ReadPredictions = lambda *_: None,
    stopping_rule: StoppingRule | None = None,
    looks: Sequence[Look] = (),
    labels: Mapping[str, Any] | None = None,
) -> Findings:
    """The findings of `study` from its records, and from the predictions that `read` knows.

    Args:
        stopping_rule: by which seeds were added, which verdicts then allow for.
        looks: when results were seen, which verdicts of a study that grew without a rule allow for.
        labels: statistics of the labels, as `plan.json` has them.
    """
    runs, control = order_runs(study, records, warnings), study.control_arm
    read = cache(read)  # by what is computed of scores, and by what looks for runs that collapsed
    margin = find_margin(study, study.metric, looks)
    summary, contrasts, worth = list[SummaryRow](), list[Contrast](), WorthTables()
    ranking: Ranking | None = None
    baseline_contrasts: tuple[Contrast, ...] = ()
    collected = collect_scores(runs, runs.metrics, read)
    for metric, scores in collected.items():
        pairs = pair_with_control(scores, control) if control else []
        judging = choose_judging(runs, metric, find_margin(study, metric, looks), stopping_rule, looks)
        compared = compare_pairs(scores, pairs, judging, _SEED)
        summary += compared.summary
        contrasts += compared.contrasts
        if metric == study.metric:
            ranking = rank_arms(scores, judging, left_out=find_left_out(study), runs=runs.chosen, seed=_SEED)
            baseline_contrasts = compare_with_baselines(study, scores, judging, _SEED)
        if control and metric == study.metric:
            worth = estimate_worths(scores, runs.chosen, control, describe_metric(metric), _SEED)
    collapses = find_collapses(runs, read)
    outcomes = tuple(list_outcomes(runs, collapses, read))
    rank = {cell: i for i, cell in enumerate(list_cells(study))}
    return Findings(
        study=study,
        records=runs.records,
        warnings=runs.warnings,
        grid_rows=runs.grid_rows,
        judged_points=runs.judged_points,
        # Sorting is stable: within an arm and size, metrics keep their order.
        summary=tuple(sorted(summary, key=lambda row: rank[row.size, row.arm])),
        contrasts=mark_contrasts(sorted(contrasts, key=lambda row: rank[row.size, row.arm]), outcomes),
        label_worth=worth.labels,
        step_worth=worth.steps,
        stopping_rule=stopping_rule,
        margin=margin,
        looks=tuple(looks),
        ranking=mark_ranking(ranking, outcomes),
        outcomes=outcomes,
        collapses=collapses,
        reference=find_reference(runs, read, labels),
        baseline_contrasts=mark_contrasts(baseline_contrasts, outcomes),
    )
