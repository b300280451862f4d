"""Time: a fitted model gives back what made it, a workload counts every token, packs fill idle workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headstart import load_study
from headstart.config.runs import expand_runs
from headstart.data.batches import compute_padded_length, draw_epoch_batches
from headstart.planning.step_benchmark import StepTimes
from headstart.planning.time_model import (
    DRIFT,
    TimeModel,
    Workload,
    count_workload,
    estimate_pack_seconds,
    estimate_total_seconds,
    fit_time_model,
)
from headstart.prepared import PreparedRun
from headstart.records import Range
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]


def time_made_steps(a: float, b: float, evaluation: float = 1e-5, noise: float = 0.0) -> StepTimes:
    """Steps that take a + b * tokens."""
    draws = np.random.default_rng(0)
    tokens = draws.integers(100, 2000, 10)
    spans = (a + b * tokens) * (1 + noise * draws.normal(size=10))
    steps = tuple((int(n), float(span)) for n, span in zip(tokens, spans, strict=True))
    return StepTimes(float(spans.mean()), 1, steps, (4000, 4000 * evaluation), 2.0)


def test_the_model_is_the_one_behind_the_steps() -> None:
    model = fit_time_model([time_made_steps(0.02, 1e-4)], 1)
    assert model is not None
    assert (model.step, model.token) == pytest.approx((0.02, 1e-4))
    assert model.evaluation_token == pytest.approx(1e-5)
    assert model.spread == pytest.approx(DRIFT)


def test_a_step_of_a_pack_is_shared_by_its_runs() -> None:
    alone, packed = (
        fit_time_model([time_made_steps(0.02, 1e-4)], 1),
        fit_time_model([time_made_steps(0.02, 1e-4)], 4),
    )
    assert alone is not None
    assert packed is not None
    workload = Workload(steps=100, tokens=50_000, evaluation_tokens=10_000)
    assert 4 * packed.estimate_seconds(workload) == pytest.approx(alone.estimate_seconds(workload))


def test_noise_widens_the_range() -> None:
    quiet, noisy = (fit_time_model([time_made_steps(0.02, 1e-4, noise=n)], 1) for n in (0.0, 0.5))
    assert quiet is not None
    assert noisy is not None
    assert noisy.spread > quiet.spread


def test_nothing_timed_is_nothing_known() -> None:
    assert fit_time_model([], 1) is None
    assert fit_time_model([StepTimes(float("inf"), 1)], 1) is None


@pytest.fixture
def prepare(study_file: StudyFile) -> Callable[..., PreparedRun]:
    """The first run of a study with the tiny model, made ready."""

    def make(**changes: object) -> PreparedRun:
        study = load_study(study_file(arms={"pretrained": {}, "words": None}, **changes))
        runs = expand_runs(study)
        return prepare_study(study, runs).select(runs[0])

    return make


def test_a_workload_is_every_token_of_every_batch(prepare: Callable[..., PreparedRun]) -> None:
    prepared = prepare(training={"epochs": 3, "batch_size": 8}, curves=["valid", "test"])
    workload = count_workload(prepared)
    tokens = prepared.tokens["train"]
    batches = [
        b for epoch in (1, 2, 3) for b in draw_epoch_batches(tokens.lengths, 8, prepared.run.seed, epoch)
    ]
    assert workload.steps == len(batches) == 3 * 8
    assert workload.tokens == sum(len(b) * compute_padded_length(tokens, b) for b in batches)
    valid, test = (int(prepared.tokens[part].lengths.sum()) for part in ("valid", "test"))
    assert 3 * (valid + test) + test <= workload.evaluation_tokens <= 1.5 * (3 * (valid + test) + test)


def test_patience_may_end_a_run_early(prepare: Callable[..., PreparedRun]) -> None:
    prepared = prepare(training={"epochs": 8, "patience": 1})
    assert count_workload(prepared).min_share == 2 / 8
    span = estimate_pack_seconds([prepared], TimeModel(0.1, 0, 0, 0, 0.1))
    assert span.high == pytest.approx(8 * 4 * 0.1 * 1.1)
    assert span.low == pytest.approx(2 / 8 * 8 * 4 * 0.1 * 0.9)
    assert estimate_pack_seconds([prepared], TimeModel(0.1, 0, 0, 0, spread=1.5)).low == 0


def test_packs_go_to_the_first_idle_worker() -> None:
    spans = [Range(low=s, high=2 * s) for s in (4, 1, 1, 1)]
    assert estimate_total_seconds(spans, 2) == Range(low=4, high=8)
    assert estimate_total_seconds(spans, 1) == Range(low=7, high=14)
    assert estimate_total_seconds(spans, 0) == Range(low=7, high=14)
