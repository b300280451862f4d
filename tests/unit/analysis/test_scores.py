"""Scores with their predictions: what is a measure, who shares test examples, what a summary holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headstart.analysis.measured_tests import count_majority, measure_predictions
from headstart.analysis.scores import (
    ArmScores,
    bootstrap_examples,
    collect_scores,
    have_other_groups,
    list_shared_seeds,
    pair_scores,
    stack_known,
    summarise_scores,
)
from headstart.analysis.study_runs import order_runs
from headstart.config.metrics import describe_metric
from headstart.stats.example_intervals import estimate_examples_interval
from headstart.stats.measures import MeanMeasure
from headstart.store.prediction_tables import Predictions
from studies import make_record, make_study

ONES = np.ones((1, 8))


def predict(right: float, seed: int = 0, digest: str = "one", n: int = 8) -> Predictions:
    """Of two classes, about so many right."""
    draws = np.random.default_rng(seed)
    y_true = np.arange(n) % 2
    y_pred = np.where(draws.random(n) < right, y_true, 1 - y_true)
    return Predictions("classes", y_true, y_pred, 2, digest, draws.random(n))


def scores_of(arm: str, by_seed: Mapping[int, Predictions], size: Any = "all") -> ArmScores:
    """Accuracies as the predictions have them."""
    accuracy = {
        seed: measure_predictions(run_predictions)["accuracy"] for seed, run_predictions in by_seed.items()
    }
    first = next(iter(by_seed.values()))
    return ArmScores(
        arm,
        size,
        8,
        {seed: float(measure.on_resamples(ONES)[0]) for seed, measure in accuracy.items()},
        accuracy,
        test_digest=first.digest,
        n_examples=len(first.y_true),
    )


@pytest.mark.parametrize(
    ("predictions", "metrics"),
    [
        (predict(0.8), {"accuracy", "balanced_accuracy", "macro_f1", "mcc", "loss"}),
        (
            Predictions("labels", np.eye(3, dtype=int), np.eye(3, dtype=int), 3, "d", np.ones(3)),
            {"macro_f1", "micro_f1", "exact_match", "loss"},
        ),
        (
            Predictions("numbers", np.arange(4.0), np.arange(4.0) + 1, 0, "d", np.ones(4)),
            {"pearson", "spearman", "rmse", "mae", "loss"},
        ),
        (Predictions("answers", np.ones(4), np.ones(4), 0, "d"), {"exact_match"}),
        (
            Predictions("answers", np.ones(4), np.ones(4), 0, "d", stopped=np.ones(4)),
            {"exact_match", "stopped"},
        ),
        (
            Predictions("tokens", np.ones(4), np.ones(4), 0, "d", np.ones(4)),
            {"loss", "perplexity", "token_accuracy"},
        ),
    ],
    ids=["classes", "labels", "numbers", "answers", "stopped", "tokens"],
)
def test_predictions_tell_their_metrics(predictions: Predictions, metrics: set[str]) -> None:
    assert measure_predictions(predictions).keys() == metrics


def test_runs_are_scored_by_metric_arm_and_size() -> None:
    records = [make_record(arm, seed, 0.5) for arm in ("pretrained", "random") for seed in (0, 1)]
    records.append(make_record("random", 2, None))
    runs = order_runs(make_study(seeds=3), records)
    collected = collect_scores(runs, ["accuracy", "loss"], lambda *_: None)
    assert {metric: [arm_scores.cell for arm_scores in scores] for metric, scores in collected.items()} == {
        metric: [("pretrained", "all"), ("random", "all")] for metric in ("accuracy", "loss")
    }
    scores = collected["accuracy"][1]
    assert (scores.by_seed, scores.train_examples, scores.test_digest) == ({0: 0.5, 1: 0.5}, 8, None)


def test_predictions_of_other_test_examples_do_not_count() -> None:
    known = {"random/all/0": predict(0.8), "random/all/1": predict(0.6, digest="another")}
    runs = order_runs(make_study(seeds=2), [make_record("random", seed, 0.5) for seed in (0, 1)])
    (scores,) = collect_scores(runs, ["accuracy"], lambda key, _: known[key])["accuracy"]
    assert (scores.test_digest, scores.n_examples) == ("one", 8)
    assert scores.measures.keys() == {0}


def test_predictions_of_a_run_may_be_gone() -> None:
    runs = order_runs(make_study(seeds=2), [make_record("random", seed, 0.5) for seed in (0, 1)])
    read = {"random/all/1": predict(0.8)}.get
    (scores,) = collect_scores(runs, ["accuracy"], lambda key, _: read(key))["accuracy"]
    assert scores.measures.keys() == {1}
    assert summarise_scores(scores, describe_metric("accuracy")).examples_low is None


def test_who_shares_test_examples_shares_what_is_drawn_anew() -> None:
    alike = predict(0.7)
    scores = [scores_of(arm, {0: alike}) for arm in ("a", "b")]
    first, other = bootstrap_examples(scores, np.random.default_rng(0))
    assert first.resampled[0].shape == (2000,)
    assert np.array_equal(first.resampled[0], other.resampled[0])
    assert first.resampled[0].mean() == pytest.approx(first.by_seed[0], abs=0.02)
    elsewhere = scores_of("b", {0: predict(0.7, digest="another")})
    first, other = bootstrap_examples([scores[0], elsewhere], np.random.default_rng(0))
    assert not np.array_equal(first.resampled[0], other.resampled[0])


def test_scores_without_predictions_are_not_drawn_anew() -> None:
    bare = ArmScores("a", "all", None, {0: 0.5})
    assert bootstrap_examples([bare], np.random.default_rng(0)) == [bare]


def test_the_interval_over_examples_is_of_the_mean_over_seeds() -> None:
    scores = scores_of("a", {seed: predict(0.7, seed) for seed in (0, 1)})
    row = summarise_scores(scores, describe_metric("accuracy"))
    parts = np.array([measure.by_example for measure in scores.measures.values()])
    assert (row.examples_low, row.examples_high) == estimate_examples_interval(row.mean, parts, None, (0, 1))


def test_a_loss_has_the_percentiles_of_the_mean_over_seeds() -> None:
    losses = np.random.default_rng(1).random((2, 8))
    measures = {seed: MeanMeasure(row) for seed, row in enumerate(losses)}
    by_seed = {seed: float(row.mean()) for seed, row in enumerate(losses)}
    scores = ArmScores("a", "all", 8, by_seed, measures, test_digest="one", n_examples=8)
    (resampled,) = bootstrap_examples([scores], np.random.default_rng(0))
    row = summarise_scores(resampled, describe_metric("loss"))
    means = (resampled.resampled[0] + resampled.resampled[1]) / 2
    assert (row.examples_low, row.examples_high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "balanced_accuracy", "mcc"])
def test_all_right_is_not_certain(metric: str) -> None:
    """Issue 19: accuracy of 100% on 50 examples has a lower end."""
    right = {seed: predict(1.1, seed, n=50) for seed in (0, 1, 2)}
    measures = {seed: measure_predictions(found)[metric] for seed, found in right.items()}
    scores = ArmScores("a", "all", 8, dict.fromkeys(right, 1.0), measures, test_digest="one", n_examples=50)
    row = summarise_scores(scores, describe_metric(metric))
    assert row.examples_low is not None
    assert row.examples_low < 0.95
    assert row.examples_high == 1


def test_a_test_set_knows_its_majority_class() -> None:
    uneven = Predictions("classes", np.array([0, 0, 0, 1]), np.zeros(4, int), 2, "d", np.ones(4))
    numbers = Predictions("numbers", np.arange(4.0), np.arange(4.0), 0, "d", np.ones(4))
    assert (count_majority(uneven), count_majority(numbers)) == (3, None)


@pytest.mark.parametrize(("metric", "extremes"), [("accuracy", (2, 1)), ("loss", (1, 2))])
def test_worst_and_best_heed_which_way_is_better(metric: str, extremes: tuple[int, int]) -> None:
    scores = ArmScores("a", "all", None, {0: 0.5, 1: 0.7, 2: 0.3})
    row = summarise_scores(scores, describe_metric(metric))
    assert (row.worst_seed, row.best_seed) == extremes


def test_pairs_have_examples_only_where_all_were_tested_on_the_same() -> None:
    arm = scores_of("a", {seed: predict(0.8, seed) for seed in (0, 1)})
    same = scores_of("b", {seed: predict(0.6, seed + 9) for seed in (0, 1)})
    elsewhere = scores_of("b", {seed: predict(0.6, seed + 9, digest="another") for seed in (0, 1)})
    mine, theirs = pair_scores((arm, same), [0, 1])
    assert mine.by_example is not None
    assert mine.by_example.shape == (2, 8)
    assert mine.by_example.mean(1).tolist() == mine.by_seed.tolist() == [arm.by_seed[0], arm.by_seed[1]]
    assert theirs.by_example is not None
    assert [paired.by_example for paired in pair_scores((arm, elsewhere), [0, 1])] == [None, None]


def test_one_seed_without_predictions_leaves_the_pair_without_examples() -> None:
    arm = scores_of("a", {0: predict(0.8)})
    both = ArmScores("b", "all", 8, {0: 0.5, 1: 0.5}, {0: MeanMeasure(np.ones(8))}, test_digest="one")
    assert list_shared_seeds(arm, both) == [0]
    assert pair_scores((arm, both), [0])[1].by_example is not None
    two = ArmScores("a", "all", 8, {0: 0.5, 1: 0.5}, arm.measures, test_digest="one")
    assert pair_scores((two, both), [0, 1])[0].by_example is None


def test_what_is_not_known_leaves_nothing_to_stack() -> None:
    part = np.zeros(3)
    assert stack_known([]) is None
    assert stack_known([part, None]) is None
    stacked = stack_known([part, part])
    assert stacked is not None
    assert stacked.shape == (2, 3)


def grouped(arm: str, *groups: np.ndarray | None) -> ArmScores:
    """Scores of seeds that were tested on the same eight examples, each of which knows these groups."""
    known = {f"random/all/{seed}": replace(predict(0.6, seed), groups=of) for seed, of in enumerate(groups)}
    records = [make_record("random", seed, 0.5) for seed in range(len(groups))]
    runs = order_runs(make_study(seeds=len(groups)), records)
    (scores,) = collect_scores(runs, ["accuracy"], lambda key, _: known[key])["accuracy"]
    return replace(scores, arm=arm)


PAIRS = np.arange(8) // 2
HALVES = np.arange(8) // 4


def test_groups_that_one_seed_knows_hold_for_all() -> None:
    groups = grouped("a", None, PAIRS + 5, None).groups
    assert groups is not None
    assert groups.tolist() == PAIRS.tolist()
    assert grouped("a", None, None).groups is None
    assert grouped("a", np.arange(8)).groups is None


def test_groups_of_two_arms_are_joined() -> None:
    cells = [grouped("a", PAIRS), grouped("b", np.array([0, 1, 1, 2, 3, 4, 5, 6]))]
    joined = [pair.groups for pair in pair_scores(cells, [0])]
    for groups in joined:
        assert groups is not None
        assert groups.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert [pair.groups for pair in pair_scores([grouped("a", None), grouped("b", None)], [0])] == [None] * 2


def test_arms_that_know_other_groups_are_found() -> None:
    alike, coarser, unknown = grouped("a", PAIRS), grouped("b", HALVES), grouped("c", None)
    assert have_other_groups([alike, coarser])
    assert have_other_groups([alike, unknown])
    assert not have_other_groups([alike, grouped("b", 3 - PAIRS)])
    assert not have_other_groups([unknown, unknown])
    elsewhere = replace(coarser, test_digest="another")
    assert not have_other_groups([alike, elsewhere])


def test_whole_groups_are_drawn_anew() -> None:
    """Of two halves there are three resamples: either twice, or both."""
    scores = grouped("a", HALVES)
    right = scores.measures[0].by_example
    assert right is not None
    (drawn,) = bootstrap_examples([scores], np.random.default_rng(0))
    halves = [right[:4].mean(), right[4:].mean()]
    assert halves[0] != halves[1]
    assert set(np.round(drawn.resampled[0], 9)) == {*halves, np.mean(halves)}


def test_of_a_single_group_nothing_can_be_drawn() -> None:
    (scores,) = bootstrap_examples([grouped("a", np.zeros(8, int))], np.random.default_rng(0))
    assert scores.resampled == {}
    assert summarise_scores(scores, describe_metric("accuracy")).examples_low is None
