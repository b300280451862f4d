"""One run against one, and errors against errors: when there are any, and that they agree with verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.analysis.contrasts import compare_pairs
from headstart.analysis.effect_sizes import compare_errors, compare_one_run, compare_wins
from headstart.analysis.judging import Judging
from headstart.analysis.scores import ArmScores
from headstart.config.metrics import describe_metric
from headstart.records import Contrast

ACCURACY = Judging(describe_metric("accuracy"))


def make_scores(arm: str, *values: float) -> ArmScores:
    return ArmScores(arm, "all", None, dict(enumerate(values)))


def compare(arm: ArmScores, control: ArmScores, judging: Judging = ACCURACY) -> Contrast:
    (contrast,) = compare_pairs([arm, control], [(arm.cell, control.cell)], judging, seed=0).contrasts
    return contrast


def test_runs_count_that_only_one_side_has() -> None:
    found = compare_one_run(make_scores("a", 0.8, 0.7, 0.6, 0.9), make_scores("b", 0.65, 0.5), ACCURACY)
    assert found is not None
    assert found.probability == 7 / 8


def test_a_lower_loss_beats() -> None:
    found = compare_one_run(
        make_scores("a", 0.1, 0.2), make_scores("b", 0.3, 0.4), Judging(describe_metric("loss"))
    )
    assert found is not None
    assert found.probability == 1


def test_near_the_ceiling_errors_are_compared() -> None:
    contrast = compare(make_scores("a", 0.93, 0.92, 0.93), make_scores("b", 0.9, 0.9, 0.89))
    assert contrast.relative_errors is not None
    assert contrast.relative_errors.reduction == pytest.approx(1 - 0.22 / 0.31)
    assert contrast.relative_errors.low is not None
    assert (contrast.relative_errors.low > 0) == (contrast.verdict == "better")


@pytest.mark.parametrize(
    ("values", "metric"), [((0.93, 0.92), "mcc"), ((0.85, 0.7), "accuracy"), ((0.9, 0.9), "loss")]
)
def test_elsewhere_they_are_not(values: tuple[float, float], metric: str) -> None:
    scores, higher = make_scores("b", *values), make_scores("a", 0.95, 0.96)
    assert compare_errors(higher, scores, Judging(describe_metric(metric)), 0.95) is None


def test_where_a_rule_added_seeds_neither_is_told() -> None:
    judging = Judging(describe_metric("accuracy"), is_sequential=True)
    contrast = compare(make_scores("a", 0.93, 0.92), make_scores("b", 0.9, 0.91), judging)
    assert (contrast.one_run, contrast.relative_errors) == (None, None)


def test_differences_end_where_they_must() -> None:
    """ "+34.7 [-36.4, +105.9]" was shown once."""
    contrast = compare(make_scores("a", 0.99, 0.3), make_scores("b", 0.5, 0.4))
    ends = contrast.low, contrast.high, contrast.family_low, contrast.seeds_high
    assert all(end is not None and 0.9 < abs(end) < 1 for end in ends)
    loss = compare(make_scores("a", 0.99, 0.3), make_scores("b", 0.5, 0.4), Judging(describe_metric("loss")))
    assert loss.high is not None
    assert loss.high > 1


def test_errors_hold_at_the_level_of_the_verdicts() -> None:
    alone = compare(make_scores("a", 0.93, 0.92, 0.93), make_scores("b", 0.9, 0.9, 0.89))
    among = compare(
        make_scores("a", 0.93, 0.92, 0.93),
        make_scores("b", 0.9, 0.9, 0.89),
        Judging(describe_metric("accuracy"), n_metrics=4),
    )
    assert alone.relative_errors is not None
    assert among.relative_errors is not None
    assert among.relative_errors.low is not None
    assert alone.relative_errors.low is not None
    assert among.relative_errors.low < alone.relative_errors.low


def make_answers(arm: str, by_seed: dict[int, list[float]], digest: str = "d") -> ArmScores:
    """What a language model scores on each prompt."""
    scores = {seed: np.array(values) for seed, values in by_seed.items()}
    means = {seed: float(values.mean()) for seed, values in scores.items()}
    return ArmScores(arm, "all", None, means, by_prompt=scores, test_digest=digest)


def test_prompts_are_won_over_the_seeds_that_both_have() -> None:
    arm = make_answers("a", {0: [60.0, 10.0], 1: [50.0, 20.0], 2: [0.0, 0.0]})
    control = make_answers("b", {0: [50.0, 10.0], 1: [40.0, 30.0], 3: [99.0, 99.0]})
    won = compare_wins(arm, control, Judging(describe_metric("chrf")))
    assert won is not None
    assert (won.rate, won.ties) == (2.5 / 4, 0.25)
    lost = compare_wins(arm, control, Judging(describe_metric("loss")))
    assert lost is not None
    assert lost.rate == 1.5 / 4


def test_prompts_are_not_won_where_pairs_are_unknown() -> None:
    arm, judging = make_answers("a", {0: [1.0], 1: [1.0]}), Judging(describe_metric("chrf"))
    assert compare_wins(arm, make_answers("b", {0: [0.0], 1: [0.0]}, "other"), judging) is None
    assert compare_wins(arm, make_answers("b", {2: [0.0], 3: [0.0]}), judging) is None
    assert compare_wins(arm, make_scores("b", 0.1, 0.2), judging) is None
    by_rule = Judging(describe_metric("chrf"), is_sequential=True)
    assert compare_wins(arm, make_answers("b", {0: [0.0], 1: [0.0]}), by_rule) is None
