"""`headstart compare`: compares arms of a study, or scores in a file, with a control, or two studies."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from headstart.analysis.comparison import Comparison
from headstart.analysis.contrasts import compare_pairs, pair_with_control
from headstart.analysis.score_sources import ScoreSource, open_source
from headstart.analysis.scores import ArmScores
from headstart.analysis.worth import estimate_worths
from headstart.errors import HeadstartError
from headstart.records import Margin, OutcomeRow


def compare(
    source: str | Path,
    *,
    metric: str | None = None,
    control: str | None = None,
    margin: float | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare the arms of a study's folder, or of a table with columns arm, seed and a metric.

    Args:
        source: `<out>` of a study, or a CSV, TSV, JSON Lines or Parquet file; a column `size` is optional,
            and shares above 1 are taken as percentages.
        metric: the study's, or the only further column, by default.
        control: the study's by default; of a table `random`, or else its first arm.
        margin: differences within this are none that matter: points for shares (0.5 is half a point), else
            in the metric's own unit; in place of the one that the study file states.
        seed: of the bootstrap and of sampled sign flips.

    Raises:
        HeadstartError: there are no scores, no such metric or control, or a row that cannot be read.
    """
    opened = open_source(Path(source), metric)
    scores, metric, control = opened.scores, opened.metric, opened.check_control(control)
    stated = _choose_margin(opened, margin)
    judging = replace(opened.judging, margin=stated.value if stated else None)
    compared = compare_pairs(scores, pair_with_control(scores, control), judging, seed)
    worth = estimate_worths(scores, opened.runs, control, metric, seed)
    return Comparison(
        source=str(source),
        metric=metric,
        control=control,
        margin=stated,
        scores=scores,
        summary=compared.summary,
        contrasts=compared.contrasts,
        label_worth=worth.labels,
        step_worth=worth.steps,
        stopping_rule=opened.stopping_rule,
        outcomes=opened.outcomes,
    )


def compare_studies(
    first_path: str | Path,
    second_path: str | Path,
    *,
    metric: str | None = None,
    margin: float | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare two studies on the same test examples: each arm of the second with its namesake in the first.

    Raises:
        HeadstartError: as `compare`; they were tested on other examples, or share no arm.
    """
    first = open_source(Path(first_path), metric)
    second = open_source(Path(second_path), first.metric)
    _check_same_test(first, second, f"{first_path} and {second_path}")
    in_first = {scores.cell for scores in first.scores}
    shared = [scores.cell for scores in second.scores if scores.cell in in_first]
    if not shared:
        raise HeadstartError("they share no arm of the same size", where=f"{first_path} and {second_path}")
    scores = (*_mark_study(first, "A"), *_mark_study(second, "B"))
    rule = first.stopping_rule or second.stopping_rule
    stated = _choose_margin(first, margin)
    judging = replace(first.judging, margin=stated.value if stated else None, is_sequential=rule is not None)
    pairs = [((f"{arm} (B)", size), (f"{arm} (A)", size)) for arm, size in shared]
    compared = compare_pairs(scores, pairs, judging, seed)
    return Comparison(
        source=f"A {first_path}, B {second_path}",
        metric=first.metric,
        control=None,
        margin=stated,
        scores=scores,
        summary=compared.summary,
        contrasts=compared.contrasts,
        stopping_rule=rule,
        outcomes=(*_mark_outcomes(first, "A"), *_mark_outcomes(second, "B")),
    )


def _choose_margin(source: ScoreSource, given: float | None) -> Margin | None:
    """The one given to the command, which whoever has seen the results could choose by them; else the
    study's.

    Raises:
        HeadstartError: it is not above zero.
    """
    if given is None or (source.margin and source.margin.value == given):
        return source.margin
    if not 0 < given < math.inf:
        raise HeadstartError(f"{given:g}", where="--margin", expected="a number above 0")
    return Margin(value=given, stated="after the results")


def _check_same_test(first: ScoreSource, second: ScoreSource, where: str) -> None:
    if len({scores.test_digest for scores in (*first.scores, *second.scores)} - {None}) > 1:
        raise HeadstartError(
            "the two were tested on other examples, so their scores cannot be paired",
            where=where,
            expected="the same test file, in the same order",
        )


def _mark_study(source: ScoreSource, letter: str) -> list[ArmScores]:
    """Its scores, each arm's name with the study's letter."""
    return [replace(scores, arm=f"{scores.arm} ({letter})") for scores in source.scores]


def _mark_outcomes(source: ScoreSource, letter: str) -> list[OutcomeRow]:
    return [row.model_copy(update={"arm": f"{row.arm} ({letter})"}) for row in source.outcomes]
