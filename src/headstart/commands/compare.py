"""Compares the arms of a study, or of a table of scores, with their control."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headstart.analysis.collapsed import mark_contrasts
from headstart.analysis.comparison import Comparison
from headstart.analysis.contrasts import compare_pairs, pair_with_control
from headstart.analysis.details.curves import average_curves
from headstart.analysis.ranking import mark_ranking, rank_arms
from headstart.analysis.score_sources import open_source
from headstart.analysis.worth import estimate_worths
from headstart.commands.margins import choose_margin


def compare(
    source: str | Path,
    *,
    metric: str | None = None,
    control: str | None = None,
    margin: float | None = None,
    seed: int = 0,
    lower_is_better: bool | None = None,
) -> Comparison:
    """Compare the arms of a study's folder, or of a table with columns arm, seed and a metric.

    Example:
        comparison = headstart.compare("runs/study", margin=1.0)
        print(comparison)  # the tables of the command line
        for row in comparison.contrasts:
            print(row.arm, row.difference, row.low, row.high, row.verdict)
        comparison.frame()  # pandas: a row for each contrast

    Args:
        source: `<out>` of a study, or a CSV, TSV, JSON Lines or Parquet file; a column `size` is optional,
            and shares are fractions, or all of them percentages.
        metric: the study's, or the only further column, by default.
        control: the study's by default; of a table `random`, or else its first arm.
        margin: differences within this are none that matter: points for shares (0.5 is half a point), else
            in the metric's own unit; in place of the one that the study file states.
        seed: of the bootstrap and of sampled sign flips.
        lower_is_better: which way a metric is better whose name does not tell.

    Raises:
        HeadstartError: there are no scores, no such metric or control, or a row that cannot be read; it is
            not known which way the metric is better.
    """
    opened = open_source(Path(source), metric, lower_is_better)
    scores, control = opened.scores, opened.check_control(control)
    stated = choose_margin(opened.margin, margin)
    judging = replace(opened.judging, margin=stated.value if stated else None)
    compared = compare_pairs(scores, pair_with_control(scores, control), judging, seed)
    worth = estimate_worths(scores, opened.runs, control, opened.metric, seed)
    ranking = rank_arms(scores, judging, left_out=opened.left_out, runs=opened.runs, seed=seed)
    return Comparison(
        source=str(source),
        info=opened.metric,
        control=control,
        margin=stated,
        scores=scores,
        summary=compared.summary,
        contrasts=mark_contrasts(compared.contrasts, opened.outcomes),
        label_worth=worth.labels,
        step_worth=worth.steps,
        stopping_rule=opened.stopping_rule,
        earlier_looks=opened.earlier_looks,
        grid_choice=opened.grid_choice,
        notes=opened.notes,
        outcomes=opened.outcomes,
        ranking=mark_ranking(ranking, opened.outcomes),
        answers=opened.answers,
        reference=opened.reference,
        curves=average_curves(opened.runs, opened.metric.name),
    )
