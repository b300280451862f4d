"""`headstart power`: how many seeds or test examples would show a difference, before a study and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np

from headstart.analysis.collapse_words import warn_of_collapsed
from headstart.analysis.contrasts import pair_with_control
from headstart.analysis.leaderboard_files import read_leaderboard_file
from headstart.analysis.power import SEED_COST, ContrastPower, Leaderboard, PowerAnalysis, Rank
from headstart.analysis.power_questions import Assumptions, Question
from headstart.analysis.score_sources import ScoreSource, open_source
from headstart.analysis.scores import ArmScores, list_shared_seeds, pair_scores
from headstart.errors import DataError, HeadstartError
from headstart.os_faults import check_lookup
from headstart.stats.summary import ALPHA
from headstart.stats.two_way import count_units
from headstart.stats.variances import assume_variances, measure_mean_squares

#: Standard errors that noise passes one time in twenty.
_NOISE: Final = 1.959964


def analyse_power(
    source: Path | None,
    question: Question,
    assumptions: Assumptions,
    *,
    metric: str | None = None,
    control: str | None = None,
) -> PowerAnalysis | Leaderboard:
    """What `headstart power` answers: of a study, of a leaderboard, or of assumptions.

    Raises:
        HeadstartError: neither a study nor a number of test examples is given; the question has no answer.
    """
    if source is not None:
        _check_source(source)
    if source is not None and source.is_dir():
        return _analyse_study(source, question, metric, control)
    question.check(is_share=True)
    if question.test_examples is None:
        raise HeadstartError(
            "the number of test examples is needed",
            where="power",
            fix="add --test-examples N, or name a study's folder",
        )
    if source is not None:
        return read_leaderboard(source, question.test_examples, disagree=assumptions.disagree, metric=metric)
    return _analyse_assumptions(question, assumptions, question.test_examples)


def _check_source(source: Path) -> None:
    """See that something is there: what else is asked for depends on what it is."""
    check_lookup(source)
    if not source.exists():
        raise DataError(
            "no such file or folder", where=str(source), expected="a study's folder, or a table of results"
        )


def check_used(
    source: Path | None,
    question: Question,
    stated: Mapping[str, float],
    *,
    metric: str | None = None,
    control: str | None = None,
) -> None:
    """See that nothing is given which the answer would not depend on: `stated` assumptions, by field.

    Raises:
        HeadstartError: something is.
    """
    unused: dict[str, float | str | None]
    if source is not None:
        _check_source(source)
    if source is None:
        unused, why = {"metric": metric, "control": control}, "it needs a study, and none is given"
    elif source.is_dir():
        unused, why = dict(stated), f"variances measured in {source} are used instead of assumptions"
    else:
        used = {"disagree": stated.get("disagree"), "test_examples": question.test_examples}
        asked = {**asdict(question), **stated, "control": control}
        unused = {name: value for name, value in asked.items() if name not in used}
        why = f"{source} holds single results, which are compared by --test-examples and --disagree alone"
    for name, value in unused.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            shown = value if isinstance(value, str) else f"{value:g}"
            raise HeadstartError(f"{shown} is not used: {why}", where=option, fix=f"leave out {option}")


def power_assumed(
    *,
    test_examples: int,
    seeds: int = 3,
    difference: float | None = None,
    accuracy: float = 80.0,
    disagree: float | None = None,
    disagree_stays: float = 50.0,
    seed_std: float = 1.0,
    contrasts: int = 1,
    seed_cost: float = SEED_COST,
) -> PowerAnalysis:
    """What a study that has not been run could show; figures in points, as people state them.

    Example:
        print(headstart.power_assumed(test_examples=2000, difference=2.0, disagree=10.0))

    Args:
        difference: the one that is to be shown.
        accuracy: what the models get right on average, in percent.
        disagree: percent of examples on which two of them differ in being right; as many as in independent
            models by default.
        disagree_stays: how many percent of that are the same with every pair of seeds.
        seed_std: deviation of the difference over seeds.
        contrasts: how many share the 5% chance of a false verdict.
        seed_cost: how many labelled test examples cost as much as one more seed.

    Raises:
        HeadstartError: two models cannot be so, or the question has no answer.
    """
    question = Question(difference, test_examples, seeds, contrasts, seed_cost)
    question.check(is_share=True)
    assumptions = Assumptions(accuracy, disagree, disagree_stays, seed_std)
    return _analyse_assumptions(question, assumptions, test_examples)


def _analyse_assumptions(question: Question, assumptions: Assumptions, test_examples: int) -> PowerAnalysis:
    assumptions.check(question.difference)
    variances = assume_variances(
        assumptions.accuracy / 100,
        assumptions.disagreement / 100,
        assumptions.seed_std / 100,
        assumptions.disagree_stays / 100,
    )
    contrast = ContrastPower(
        contrast="assumed",
        variances=variances,
        n_seeds=question.seeds or 3,
        test_examples=test_examples,
        difference=None if question.difference is None else question.difference / 100,
        n_tests=question.contrasts or 1,
        seed_cost=_choose_seed_cost(question),
    )
    return PowerAnalysis("accuracy", (contrast,))


def power_measured(
    source: str | Path,
    *,
    difference: float | None = None,
    seeds: int | None = None,
    test_examples: int | None = None,
    contrasts: int | None = None,
    seed_cost: float | None = None,
    metric: str | None = None,
    control: str | None = None,
) -> PowerAnalysis:
    """What each contrast of a study's folder could show, by variances measured in it.

    Example:
        analysis = headstart.power_measured("runs/study", difference=1.0)
        print(analysis)
        analysis.frame("detectable")  # pandas: a row for each number of seeds and of test examples

    Args:
        difference: the one that is to be shown: points for shares, else in the metric's unit.
        seeds: and `test_examples`: numbers to judge by in place of the study's own.
        contrasts: how many share the 5% chance of a false verdict; as many as the study has by default.
        seed_cost: how many labelled test examples cost as much as one more seed.

    Raises:
        HeadstartError: there is no study, or no contrast with two seeds and known test examples; the
            question has no answer.
    """
    question = Question(difference, test_examples, seeds, contrasts, seed_cost)
    return _analyse_study(Path(source), question, metric, control)


def _analyse_study(
    source: Path, question: Question, metric: str | None, control: str | None
) -> PowerAnalysis:
    opened = open_source(source, metric)
    question.check(is_share=opened.metric.is_share)
    by_cell = {scores.cell: scores for scores in opened.scores}
    pairs = [
        (by_cell[arm], by_cell[against])
        for arm, against in pair_with_control(opened.scores, opened.check_control(control))
    ]
    n_tests = question.contrasts or opened.judging.n_metrics * sum(
        bool(list_shared_seeds(*pair)) for pair in pairs
    )
    measured = [_measure_contrast(*pair, question, opened, n_tests) for pair in pairs]
    contrasts = tuple(contrast for contrast in measured if contrast is not None)
    if not contrasts:
        raise HeadstartError(
            f"no contrast of {opened.metric.name} has two differing seeds with predictions of the "
            "same examples",
            where=str(source),
            expected="a study with two or more seeds and their predictions; not spearman",
        )
    arms = {scores.cell for pair in pairs for scores in pair}
    collapsed = [row for row in opened.outcomes if (row.arm, row.size) in arms]
    return PowerAnalysis(opened.metric.name, contrasts, tuple(warn_of_collapsed(collapsed)))


def _measure_contrast(
    arm: ArmScores, control: ArmScores, question: Question, opened: ScoreSource, n_tests: int
) -> ContrastPower | None:
    mine, theirs = pair_scores((arm, control), list_shared_seeds(arm, control))
    if mine.by_example is None or theirs.by_example is None or len(mine.by_example) < 2:
        return None
    differences = mine.by_example - theirs.by_example
    if count_units(differences, mine.groups) < 2:
        return None
    squares = measure_mean_squares(differences, mine.groups)
    if squares is None:
        return None
    scale = opened.metric.points
    return ContrastPower(
        contrast=f"{arm.arm} - {control.arm}" + ("" if arm.size == "all" else f", size {arm.size}"),
        variances=squares.estimate_components(),
        n_seeds=question.seeds or squares.n_seeds,
        test_examples=question.test_examples or squares.n_examples,
        difference=None if question.difference is None else question.difference / scale,
        n_tests=n_tests,
        alpha=ALPHA,  # a new study has the whole of it, whatever looks this one had
        seed_cost=_choose_seed_cost(question),
        squares=squares,
    )


def _choose_seed_cost(question: Question) -> float:
    return SEED_COST if question.seed_cost is None else question.seed_cost


def read_leaderboard(
    file: str | Path,
    test_examples: int,
    *,
    disagree: float | None = None,
    metric: str | None = None,
    top: int = 5,
) -> Leaderboard:
    """The best of single results, columns arm and a share, each on the same so many test examples.

    Several rows of an arm are one result, their mean. What seeds add is not known of single results, and
    comes on top; so does having looked for the best of many.

    Example:
        print(headstart.read_leaderboard("leaderboard.csv", 1319))

    Raises:
        DataError: there are no two results, or a score is no share.
    """
    results = read_leaderboard_file(Path(file), metric)
    if len(results.scores) < 2:
        raise DataError("fewer than two results", where=str(file), expected="columns arm and a score")
    sign = -1.0 if results.metric.lower_is_better else 1.0
    means = {arm: float(np.mean(scores)) for arm, scores in results.scores.items()}
    best = sorted(means, key=lambda arm: -sign * means[arm])[:top]
    variances = assume_variances(
        float(np.mean([means[arm] for arm in best])), None if disagree is None else disagree / 100, 0.0
    )
    limit = _NOISE * variances.std_error(1, test_examples)
    behind = {arm: sign * (means[best[0]] - means[arm]) for arm in best}
    ranks = (
        Rank(arm, means[arm], behind[arm], behind[arm] < limit, len(results.scores[arm])) for arm in best
    )
    return Leaderboard(test_examples, limit, tuple(ranks), results.metric.name)
