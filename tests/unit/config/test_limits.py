"""A count that nobody means is refused before anything is expanded, with what was probably meant."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from headstart.config.limits import MOST_GRID_POINTS, MOST_RUNS, MOST_SEEDS
from headstart.config.load import load_study
from headstart.errors import StudyError

BASE: dict[str, Any] = {"data": {"path": "x.csv"}, "model": "m"}


def refuse(*overrides: str, **keys: Any) -> str:
    with pytest.raises(StudyError) as caught:
        load_study(BASE | keys, overrides)
    return str(caught.value)


def test_a_date_as_seeds_is_no_count() -> None:
    message = refuse(seeds=20261126)
    assert "seeds: 20261126 is a count of seeds, at most 10,000 expected" in message
    assert "did you mean the one seed [20261126]?" in message
    assert load_study(BASE | {"seeds": [20261126]}).seeds == (20261126,)


def test_tuning_seeds_have_the_same_limit() -> None:
    tune = {"learning_rate": [1e-4]}
    assert "tune.seeds: 20261126 is a count" in refuse(tune=tune | {"seeds": 20261126})


@pytest.mark.parametrize(
    "override",
    [
        f"seeds={10**300}",
        f"seeds=[{2**63}]",
        f"tune={{learning_rate: [1e-4], seeds: [{2**64}]}}",
        "sizes=10000000000",
        f"sizes=[{10**400}]",
        "training.epochs=1000000",
        "training.steps=10000000000",
        "training.batch_size=10000000000",
        "training.accumulation=10000000000",
        "training.max_length=10000000000",
        "training.patience=10000000000",
        "training.warmup=1e12",
        "workers=100000",
        "pack=1000000",
        "generation.max_new_tokens=10000000",
        "generation.texts=10000000000",
        "data.folds=100000",
        f"data.split.seed={2**64}",
    ],
)
def test_counts_have_limits(override: str) -> None:
    message = refuse(override)
    assert message.startswith("command line: ")
    assert len(message) < 600


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1e999", "true"])
@pytest.mark.parametrize(
    "key",
    [
        "training.weight_decay",
        "training.warmup",
        "training.epsilon",
        "training.clip",
        "training.learning_rate",
        "margin",
        "data.split.valid",
        "arms.pretrained.training.weight_decay",
    ],
)
def test_numbers_are_finite_and_no_truths(key: str, number: str) -> None:
    assert f"command line: {key}: " in refuse(f"{key}={number}")


@pytest.mark.parametrize("key", ["training.betas=[0.9, .nan]", "training.betas=[true, 0.9]", "seeds=true"])
def test_so_are_those_in_lists(key: str) -> None:
    assert f"command line: {key.split('=')[0]}" in refuse(key)


def test_runs_are_counted_without_making_them() -> None:
    tune = {"learning_rate": [i / 1e5 for i in range(1, 101)]}
    message = refuse(seeds=1000, tune=tune | {"seeds": "shared"})
    assert "seeds: 201,000 runs (3 arms, 1 size, 1,000 seeds and their grids)" in message
    assert f"at most {MOST_RUNS:,} expected" in message


def test_grid_points_are_counted_without_making_them() -> None:
    axis = [i / 1e5 for i in range(1, 102)]
    message = refuse(tune={"learning_rate": axis, "weight_decay": axis})
    assert f"tune: 10,201 grid points, at most {MOST_GRID_POINTS:,} expected" in message


def test_what_people_train_is_far_below_the_limits() -> None:
    study = load_study(BASE | {"seeds": 1000, "sizes": [100, 1000, "all"]})
    assert len(study.seeds) == 1000 < MOST_SEEDS
    assert math.isfinite(study.training.epsilon)


def test_the_callers_values_stay_as_they_were(tmp_path: Path) -> None:
    values: dict[str, Any] = {"data": {"path": "x.csv"}, "model": "m"}
    load_study(values, ["seeds=2", "data.text=body"])
    assert values == {"data": {"path": "x.csv"}, "model": "m"}
