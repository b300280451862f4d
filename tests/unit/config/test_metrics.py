"""What is known of a metric by its name, and what has to be said."""

from __future__ import annotations

import math

import pytest
from sklearn.metrics import get_scorer_names

from headstart.config.metrics import (
    LOWER_IS_BETTER,
    SHARES,
    MetricInfo,
    describe_metric,
    find_metric,
    settle_metric,
)
from headstart.config.traits import TASKS
from headstart.errors import HeadstartError


@pytest.mark.parametrize(
    ("name", "lower_is_better", "is_share"),
    [
        ("accuracy", False, True),
        ("eval_accuracy", False, True),
        ("Macro F1", False, True),
        ("test/f1", False, True),
        ("eval_loss", True, False),
        ("ppl", True, False),
        ("wer", True, False),
        ("rmse", True, False),
        ("bits-per-byte", True, False),
        ("bleu", False, False),
        ("error_rate", True, True),
        ("neg_log_loss", False, False),
    ],
)
def test_names_of_others_are_known(name: str, lower_is_better: bool, is_share: bool) -> None:
    assert find_metric(name) == MetricInfo(name, lower_is_better, is_share)


@pytest.mark.parametrize("name", ["elo", "score", "mmlu", "neg_accuracy", "losses", "evaluate", ""])
def test_a_name_that_leaves_doubt_is_not_known(name: str) -> None:
    assert find_metric(name) is None


def test_every_metric_of_our_tasks_is_known_alike_by_both() -> None:
    for name in {metric for task in TASKS.values() for metric in task.metrics} | LOWER_IS_BETTER | SHARES:
        assert find_metric(name) == describe_metric(name)


def test_what_is_known_of_scikit_learns_scorers_goes_up() -> None:
    """Each of its scorers is a value to maximise; a few names of ours mean what they negate."""
    known = {name: found for name in get_scorer_names() if (found := find_metric(name)) is not None}
    assert len(known) > 20
    assert [name for name, found in known.items() if found.lower_is_better] == []


def test_units_are_points_of_shares_alone() -> None:
    assert (describe_metric("accuracy").unit, describe_metric("accuracy").points) == ("points", 100.0)
    assert (describe_metric("rmse").unit, describe_metric("rmse").points) == ("rmse", 1.0)


def test_an_unknown_metric_has_to_be_said_and_stays_in_its_unit() -> None:
    assert settle_metric("elo", False, None, "f.csv") == MetricInfo("elo", False, False)
    with pytest.raises(
        HeadstartError, match=r"f\.csv: metric 'elo' is not known[\s\S]*--higher-is-better or"
    ):
        settle_metric("elo", None, None, "f.csv")


def test_a_known_direction_is_not_contradicted() -> None:
    known = find_metric("accuracy")
    assert (
        settle_metric("accuracy", None, known, "f") == settle_metric("accuracy", False, known, "f") == known
    )
    with pytest.raises(HeadstartError, match="--lower-is-better, but higher 'accuracy' is better"):
        settle_metric("accuracy", True, known, "f")


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("accuracy", (0, 1)),
        ("eval_f1", (0, 1)),
        ("error_rate", (0, 1)),
        ("mcc", (-1, 1)),
        ("test_pearsonr", (-1, 1)),
        ("eval_rmse", (0, math.inf)),
        ("neg_log_loss", (-math.inf, math.inf)),
        ("bleu", (-math.inf, math.inf)),
    ],
)
def test_what_values_a_metric_can_have(name: str, bounds: tuple[float, float]) -> None:
    info = find_metric(name)
    assert info is not None
    assert info.bounds == bounds


def test_a_metric_that_nobody_knows_has_no_ends() -> None:
    assert describe_metric("elo").bounds == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("name", "counts", "correlates"),
    [
        ("acc_norm", True, False),
        ("error_rate", True, False),
        ("macro_f1", False, False),
        ("mcc", False, False),
        ("spearman", False, True),
    ],
)
def test_what_a_metric_counts(name: str, counts: bool, correlates: bool) -> None:
    info = find_metric(name)
    assert info is not None
    assert (info.counts_errors, info.is_number_correlation) == (counts, correlates)


def test_headstarts_own_chrf_is_counted_to_a_hundred() -> None:
    assert describe_metric("chrf").bounds == (0.0, 100.0)
    assert describe_metric("token_f1").bounds == (0.0, 1.0)
    others = find_metric("chrf")
    assert others is not None
    assert others.bounds == (-math.inf, math.inf), "others count it to 1, too"
