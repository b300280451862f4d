"""Worth in labels and updates, from scores and records: whose seeds, which epochs, what lies beyond."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from headstart.analysis.scores import ArmScores
from headstart.analysis.worth import estimate_worths, list_label_worths, list_step_worths
from headstart.config.metrics import describe_metric
from headstart.records import RunRecord, WorthRow

ACCURACY = describe_metric("accuracy")


def run(arm: str, seed: int, valid: Sequence[float], size: Any = "all", steps: int = 10) -> RunRecord:
    """A run with these valid accuracies, an epoch of so many steps each; one alone is of no epoch."""
    points = [
        {"epoch": i + 1, "step": steps * (i + 1), "train_loss": 1.0, "learning_rate": 0.1, "seconds": 1.0}
        | {"valid": {"accuracy": value}}
        for i, value in enumerate(valid)
    ]
    scores = {"accuracy": max(valid)}
    place = {"arm": arm, "size": size, "seed": seed, "train_examples": 8, "status": "done"}
    return RunRecord.model_validate(
        place | {"valid": scores, "test": scores, "epochs": points if len(valid) > 1 else []}
    )


def step_worths(runs: Sequence[RunRecord]) -> list[WorthRow]:
    return list(list_step_worths(runs, "random", ACCURACY, np.random.default_rng(0)))


def seeded(arm: str, valid: Sequence[float], seeds: int = 3, **where: Any) -> list[RunRecord]:
    return [run(arm, seed, valid, **where) for seed in range(seeds)]


def test_updates_are_read_off_the_controls_best_so_far() -> None:
    """0.7 lies half way, in log steps, from 0.6 at 30 to 0.8 at 40: the best so far does not fall again."""
    (row,) = step_worths([*seeded("tuned", [0.5, 0.7]), *seeded("random", [0.5, 0.6, 0.55, 0.8])])
    assert (row.amount, row.smallest, row.largest) == (20, 10, 40)
    assert row.score == pytest.approx(0.7)
    assert row.worth == pytest.approx(np.sqrt(30 * 40))


def test_a_score_beyond_the_controls_is_more_than_its_updates() -> None:
    (row,) = step_worths([*seeded("tuned", [0.7, 0.9]), *seeded("random", [0.5, 0.6])])
    assert (row.worth, row.worth_beyond, row.largest) == (None, "more than the largest", 20)


def test_an_arm_without_epochs_has_no_updates_of_its_own() -> None:
    (row,) = step_worths([*seeded("words", [0.6]), *seeded("random", [0.5, 0.6])])
    assert (row.amount, row.worth) == (0, 20)


def test_a_run_that_ended_early_keeps_its_best() -> None:
    control = [run("random", 0, [0.5, 0.6]), run("random", 1, [0.5, 0.6, 0.7, 0.8])]
    (row,) = step_worths([*seeded("tuned", [0.6, 0.65], seeds=2), *control])
    assert row.largest == 40
    assert row.worth == pytest.approx(30)  # 0.6 and 0.7, 0.65 on average, after 30 updates


def test_sizes_are_compared_with_the_same_size_and_shared_seeds_count() -> None:
    runs = [
        *seeded("tuned", [0.5, 0.6], size=4),
        *seeded("random", [0.5, 0.6], seeds=2, size=4),
        *seeded("tuned", [0.5, 0.6], size=8),
    ]
    (row,) = step_worths(runs)
    assert (row.size, row.worth) == (4, 20)


def test_a_valid_score_that_is_no_number_has_no_worth() -> None:
    assert step_worths([*seeded("tuned", [float("nan")] * 2), *seeded("random", [0.5, 0.6])]) == []


def test_labels_are_compared_over_seeds_that_all_sizes_have() -> None:
    scores = [
        ArmScores(arm, labels, labels, {seed: value + seed / 100 for seed in range(seeds)})
        for labels, tuned, random, seeds in ((10, 0.6, 0.5, 3), (20, 0.7, 0.6, 2))
        for arm, value in (("tuned", tuned), ("random", random))
    ]
    rows = list(list_label_worths(scores, "random", ACCURACY, np.random.default_rng(0)))
    assert [(row.amount, row.size, row.worth, row.worth_beyond) for row in rows] == [
        (10, 10, pytest.approx(20), None),
        (20, 20, None, "more than the largest"),
    ]
    assert rows[0].score == pytest.approx(0.605)


def test_one_size_has_no_worth_in_labels() -> None:
    scores = [ArmScores(arm, 10, 10, {0: 0.5, 1: 0.6}) for arm in ("tuned", "random")]
    assert list(list_label_worths(scores, "random", ACCURACY, np.random.default_rng(0))) == []


def test_both_tables_are_drawn_from_one_seed() -> None:
    runs = [
        run(arm, seed, [0.5, 0.6 + seed / 100], size=size)
        for arm in ("tuned", "random")
        for size in (4, 8)
        for seed in range(3)
    ]
    scores = [
        ArmScores(arm, labels, labels, {seed: labels / 20 + lift + seed / 100 for seed in range(3)})
        for arm, lift in (("tuned", 0.1), ("random", 0.0))
        for labels in (4, 8)
    ]
    first, same = (estimate_worths(scores, runs, "random", ACCURACY, 0) for _ in range(2))
    assert first == same
    assert [(row.arm, row.size, row.amount) for row in first.labels] == [("tuned", 4, 4), ("tuned", 8, 8)]
    assert [(row.arm, row.size, row.amount) for row in first.steps] == [("tuned", 4, 20), ("tuned", 8, 20)]


def test_what_lies_below_the_controls_smallest_is_said_so_in_each_end() -> None:
    scores = [
        ArmScores(arm, labels, labels, {seed: value + labels / 100 + seed * noise for seed in range(3)})
        for arm, value, noise in (("tuned", 0.1, 1e-4), ("random", 0.5, 2e-4))
        for labels in (10, 20)
    ]
    row, _ = list_label_worths(scores, "random", ACCURACY, np.random.default_rng(0))
    assert (row.worth, row.low, row.high, row.bootstrap_low) == (None, None, None, None)
    assert {row.worth_beyond, row.low_beyond, row.high_beyond, row.bootstrap_low_beyond} == {
        "less than the smallest"
    }
