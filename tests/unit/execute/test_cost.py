"""Time: fitted rates give back what made them, work counts every token, and packs fill idle workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headstart import load_study
from headstart.config.expand import Run, expand
from headstart.data.batches import epoch_order, padded_length
from headstart.execute.cost import DRIFT, Rates, Work, pack_seconds, rates_of, total_seconds, work_of
from headstart.execute.probe import Timing
from headstart.prepared import PreparedStudy
from headstart.records import Range
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]


def timing(a: float, b: float, reading: float = 1e-5, noise: float = 0.0) -> Timing:
    """Steps that take a + b * tokens."""
    draws = np.random.default_rng(0)
    tokens = draws.integers(100, 2000, 10)
    spans = (a + b * tokens) * (1 + noise * draws.normal(size=10))
    steps = tuple((int(n), float(span)) for n, span in zip(tokens, spans, strict=True))
    return Timing(float(spans.mean()), 1, steps, (4000, 4000 * reading), 2.0)


def test_rates_are_those_behind_the_steps() -> None:
    rates = rates_of([timing(0.02, 1e-4)], 1)
    assert rates is not None
    assert (rates.a, rates.b) == pytest.approx((0.02, 1e-4))
    assert rates.reading == pytest.approx(1e-5)
    assert rates.spread == pytest.approx(DRIFT)


def test_a_step_of_a_pack_is_shared_by_its_runs() -> None:
    alone, packed = rates_of([timing(0.02, 1e-4)], 1), rates_of([timing(0.02, 1e-4)], 4)
    assert alone is not None
    assert packed is not None
    work = Work(steps=100, tokens=50_000, reading=10_000)
    assert 4 * packed.seconds(work) == pytest.approx(alone.seconds(work))


def test_noise_widens_the_range() -> None:
    quiet, noisy = (rates_of([timing(0.02, 1e-4, noise=n)], 1) for n in (0.0, 0.5))
    assert quiet is not None
    assert noisy is not None
    assert noisy.spread > quiet.spread


def test_nothing_timed_is_nothing_known() -> None:
    assert rates_of([], 1) is None
    assert rates_of([Timing(float("inf"), 1)], 1) is None


@pytest.fixture
def prepared(study_file: StudyFile) -> Callable[..., tuple[Run, PreparedStudy]]:
    """The first run of a study with the tiny model, and what it shares."""

    def make(**changes: object) -> tuple[Run, PreparedStudy]:
        study = load_study(study_file(arms={"pretrained": {}, "words": None}, **changes))
        runs = expand(study)
        return runs[0], prepare_study(study, runs)

    return make


def test_work_is_every_token_of_every_batch(prepared: Callable[..., tuple[Run, PreparedStudy]]) -> None:
    run, ready = prepared(training={"epochs": 3, "batch_size": 8}, curves=["valid", "test"])
    work = work_of(run, ready)
    tokens = ready.select(run).tokens["train"]
    batches = [b for epoch in (1, 2, 3) for b in epoch_order(tokens.lengths, 8, run.seed, epoch)]
    assert work.steps == len(batches) == 3 * 8
    assert work.tokens == sum(len(b) * padded_length(tokens, b) for b in batches)
    valid, test = (int(ready.select(run).tokens[part].lengths.sum()) for part in ("valid", "test"))
    assert 3 * (valid + test) + test <= work.reading <= 1.5 * (3 * (valid + test) + test)


def test_patience_may_end_a_run_early(prepared: Callable[..., tuple[Run, PreparedStudy]]) -> None:
    run, ready = prepared(training={"epochs": 8, "patience": 1})
    assert work_of(run, ready).least == 2 / 8
    rates = Rates(0.1, 0, 0, 0, 0.1)
    span = pack_seconds([run], rates, ready)
    assert span is not None
    assert span.high == pytest.approx(8 * 4 * 0.1 * 1.1)
    assert span.low == pytest.approx(2 / 8 * 8 * 4 * 0.1 * 0.9)


def test_packs_go_to_the_first_idle_worker() -> None:
    spans = [Range(low=s, high=2 * s) for s in (4, 1, 1, 1)]
    assert total_seconds(spans, 2) == Range(low=4, high=8)
    assert total_seconds(spans, 1) == Range(low=7, high=14)
    assert total_seconds(spans, 0) == Range(low=7, high=14)
