"""`headstart power`: how many seeds or test examples would show a difference, before a study and after it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from headstart.analysis.contrasts import pair_with_control
from headstart.analysis.leaderboard_files import read_leaderboard_file
from headstart.analysis.power import ContrastPower, Leaderboard, PowerAnalysis, Rank
from headstart.analysis.score_sources import open_source
from headstart.analysis.scores import ArmScores, list_shared_seeds, pair_scores
from headstart.errors import DataError, HeadstartError
from headstart.stats.groups import count_groups
from headstart.stats.power import assume_variances, measure_variances

#: Standard errors that noise passes one time in twenty.
_NOISE: Final = 1.959964


def analyse_power(
    source: Path | None,
    *,
    difference: float | None,
    test_examples: int | None,
    seeds: int | None,
    accuracy: float,
    disagree: float | None,
    seed_std: float,
    metric: str | None,
    control: str | None,
) -> PowerAnalysis | Leaderboard:
    """What `headstart power` answers: of a study, of a leaderboard, or of assumptions.

    Raises:
        HeadstartError: neither a study nor a number of test examples is given.
    """
    if source is not None and source.is_dir():
        return power_measured(
            source,
            difference=difference,
            seeds=seeds,
            test_examples=test_examples,
            metric=metric,
            control=control,
        )
    if test_examples is None:
        raise HeadstartError(
            "the number of test examples is needed",
            where="power",
            fix="add --test-examples N, or name a study's folder",
        )
    if source is not None:
        return read_leaderboard(source, test_examples, disagree=disagree, metric=metric)
    return power_assumed(
        test_examples=test_examples,
        seeds=seeds or 3,
        difference=difference,
        accuracy=accuracy,
        disagree=disagree,
        seed_std=seed_std,
    )


def power_assumed(
    *,
    test_examples: int,
    seeds: int = 3,
    difference: float | None = None,
    accuracy: float = 80.0,
    disagree: float | None = None,
    seed_std: float = 1.0,
) -> PowerAnalysis:
    """What a study that has not been run could show; figures in points, as people state them.

    Args:
        difference: the one that is to be shown.
        accuracy: what the models get right, about.
        disagree: examples on which two of them differ in being right; as many as in independent models by
            default.
        seed_std: deviation of the difference over seeds.
    """
    variances = assume_variances(accuracy / 100, None if disagree is None else disagree / 100, seed_std / 100)
    scaled = None if difference is None else difference / 100
    return PowerAnalysis("accuracy", (ContrastPower("assumed", variances, seeds, test_examples, scaled),))


def power_measured(
    source: str | Path,
    *,
    difference: float | None = None,
    seeds: int | None = None,
    test_examples: int | None = None,
    metric: str | None = None,
    control: str | None = None,
) -> PowerAnalysis:
    """What each contrast of a study's folder could show, by the variances measured in it.

    Args:
        difference: the one that is to be shown: points for shares, else in the metric's unit.
        seeds: and `test_examples`: numbers to judge by in place of the study's own.

    Raises:
        HeadstartError: there is no study, or no contrast with two seeds and known test examples.
    """
    opened = open_source(Path(source), metric)
    scaled = None if difference is None else difference / opened.metric.points
    by_cell = {scores.cell: scores for scores in opened.scores}
    pairs = pair_with_control(opened.scores, opened.check_control(control))
    measured = [
        _measure_contrast(by_cell[arm], by_cell[against], scaled, seeds, test_examples)
        for arm, against in pairs
    ]
    contrasts = tuple(contrast for contrast in measured if contrast is not None)
    if not contrasts:
        raise HeadstartError(
            f"no contrast of {opened.metric.name} has two seeds that differ, and predictions of the same "
            "examples",
            where=str(source),
            expected="a study with seeds: 2 or more with their predictions, not of spearman",
        )
    return PowerAnalysis(opened.metric.name, contrasts)


def _measure_contrast(
    arm: ArmScores,
    control: ArmScores,
    difference: float | None,
    seeds: int | None,
    test_examples: int | None,
) -> ContrastPower | None:
    mine, theirs = pair_scores((arm, control), list_shared_seeds(arm, control))
    if mine.by_example is None or theirs.by_example is None or len(mine.by_example) < 2:
        return None
    if count_groups(mine.groups) == 1:
        return None
    differences = mine.by_example - theirs.by_example
    variances = measure_variances(differences, mine.groups)
    if variances is None:
        return None
    name = f"{arm.arm} - {control.arm}" + ("" if arm.size == "all" else f", size {arm.size}")
    n_seeds, n_examples = differences.shape
    return ContrastPower(name, variances, seeds or n_seeds, test_examples or n_examples, difference)


def read_leaderboard(
    file: Path,
    test_examples: int,
    *,
    disagree: float | None = None,
    metric: str | None = None,
    top: int = 5,
) -> Leaderboard:
    """The best of single results, columns arm and a share, each on the same so many test examples.

    Several rows of an arm are one result, their mean. What seeds add is not known of single results, and
    comes on top; so does having looked for the best of many.

    Raises:
        DataError: there are no two results, or a score is no share.
    """
    results = read_leaderboard_file(file, metric)
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
