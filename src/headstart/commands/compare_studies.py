"""Compares two studies on the same test examples: each arm with its namesake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from headstart.analysis.collapsed import mark_contrasts
from headstart.analysis.comparison import Comparison
from headstart.analysis.contrasts import compare_pairs
from headstart.analysis.score_sources import ScoreSource, open_source
from headstart.analysis.scores import ArmScores
from headstart.commands.margins import choose_margin
from headstart.errors import HeadstartError
from headstart.records import OutcomeRow, StoppingRule


def compare_studies(
    first_path: str | Path,
    second_path: str | Path,
    *,
    metric: str | None = None,
    margin: float | None = None,
    seed: int = 0,
    lower_is_better: bool | None = None,
) -> Comparison:
    """Compare two studies on the same test examples: each arm of the second with its namesake in the first.

    Example:
        print(headstart.compare_studies("runs/old", "runs/new"))

    Raises:
        HeadstartError: as `compare`; they were tested on other examples, or share no arm.
    """
    first = open_source(Path(first_path), metric, lower_is_better)
    second = open_source(Path(second_path), first.metric.name, lower_is_better)
    _check_same_test(first, second, f"{first_path} and {second_path}")
    in_first = {scores.cell for scores in first.scores}
    shared = [scores.cell for scores in second.scores if scores.cell in in_first]
    if not shared:
        raise HeadstartError("they share no arm of the same size", where=f"{first_path} and {second_path}")
    scores = (*_mark_study(first, "A"), *_mark_study(second, "B"))
    rule = _choose_rule(first, second)
    stated = choose_margin(first.margin, margin)
    judging = replace(
        first.judging,
        margin=stated.value if stated else None,
        n_looks=1 if rule else max(first.judging.n_looks, second.judging.n_looks),
        is_sequential=rule is not None,
        sequence=rule.sequence if rule else "signs",
        # Two studies may have learnt from other texts: nothing is said of them then.
        data=first.judging.data if first.judging.data == second.judging.data else None,
    )
    pairs = [((f"{arm} (B)", size), (f"{arm} (A)", size)) for arm, size in shared]
    outcomes = (*_mark_outcomes(first, "A"), *_mark_outcomes(second, "B"))
    compared = compare_pairs(scores, pairs, judging, seed)
    return Comparison(
        source=f"A {first_path}, B {second_path}",
        info=first.metric,
        control=None,
        margin=stated,
        scores=scores,
        summary=compared.summary,
        contrasts=mark_contrasts(compared.contrasts, outcomes),
        stopping_rule=rule,
        earlier_looks=max(first.earlier_looks, second.earlier_looks, key=len),
        notes=(*first.notes, *second.notes, *_compare_training_texts(first, second)),
        outcomes=outcomes,
        reference=first.reference or second.reference,
    )


def _compare_training_texts(first: ScoreSource, second: ScoreSource) -> Iterator[str]:
    """That the two answer different questions, where their seeds learn from texts in different ways."""
    ways = [source.judging.data.training_texts for source in (first, second) if source.judging.data]
    if len(set(ways)) > 1:
        yield (
            f"The studies choose training examples differently (A {ways[0]}, B {ways[1]}): differences "
            "hold for neither way alone."
        )


def _choose_rule(first: ScoreSource, second: ScoreSource) -> StoppingRule | None:
    """The rule by which either study's seeds were added; of two the one whose sequence assumes less."""
    rules = [source.stopping_rule for source in (first, second) if source.stopping_rule]
    return min(rules, key=lambda rule: rule.sequence != "signs", default=None)


def _check_same_test(first: ScoreSource, second: ScoreSource, where: str) -> None:
    if len({scores.test_digest for scores in (*first.scores, *second.scores)} - {None}) > 1:
        raise HeadstartError(
            "the two were tested on different examples, so their scores cannot be paired",
            where=where,
            expected="the same test file, in the same order",
        )


def _mark_study(source: ScoreSource, letter: str) -> list[ArmScores]:
    """Its scores, each arm's name with the study's letter."""
    return [replace(scores, arm=f"{scores.arm} ({letter})") for scores in source.scores]


def _mark_outcomes(source: ScoreSource, letter: str) -> list[OutcomeRow]:
    return [row.model_copy(update={"arm": f"{row.arm} ({letter})"}) for row in source.outcomes]
