"""A benchmark of real steps: times and tokens, nothing kept, and what cannot be made takes for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from headstart import cuda, load_study
from headstart.config.runs import Run, expand_runs
from headstart.data.batches import compute_padded_length
from headstart.engine.member import PackContext
from headstart.errors import StackError
from headstart.planning import time_steps as module
from headstart.planning.step_benchmark import StepBenchmark
from headstart.planning.time_steps import (
    TIMED_STEPS,
    WARM_UP_STEPS,
    count_evaluation_tokens,
    run_step_benchmark,
)
from headstart.prepared import PreparedRun, PreparedStudy
from headstart.training.build import make_context
from headstart.training.prepare import prepare_study
from tiny import make_tiny_context, make_tiny_tokens


@pytest.fixture
def study(study_file: Callable[..., Path]) -> tuple[tuple[Run, ...], PreparedStudy]:
    """Runs of two arms and two seeds, of 16 steps each."""
    arms = {"tuned": {"init": "pretrained"}, "random": {"init": "random"}, "words": None}
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp64"}
    loaded = load_study(study_file(arms=arms, seeds=[0, 1], training=training))
    runs = expand_runs(loaded)
    return runs, prepare_study(loaded, runs)


def test_a_benchmark_times_a_pack_and_keeps_nothing(
    study: tuple[tuple[Run, ...], PreparedStudy], tmp_path: Path
) -> None:
    runs, prepared = study
    times = run_step_benchmark(StepBenchmark(runs, 0), prepared)
    assert 0 < times.seconds < 60
    assert times.seconds == pytest.approx(sum(span for _, span in times.steps) / TIMED_STEPS)
    assert len(times.steps) == TIMED_STEPS
    assert times.peak_memory_bytes > 0
    assert times.evaluation is not None
    assert not (tmp_path / "out").exists()


def test_steps_know_the_tokens_of_a_run(study: tuple[tuple[Run, ...], PreparedStudy]) -> None:
    """The first step, of warming up, is the longest; each is a batch of 8 examples, padded."""
    runs, prepared = study
    times = run_step_benchmark(StepBenchmark(runs[:1], 0), prepared)
    lengths = prepared.select(runs[0]).tokens["train"].lengths
    assert all(0 < tokens <= 8 * lengths.max() for tokens, _ in times.steps)
    assert len({tokens for tokens, _ in times.steps}) > 1


def test_a_run_of_few_steps_has_few_to_time(study: tuple[tuple[Run, ...], PreparedStudy]) -> None:
    runs, prepared = study
    few = runs[0].training.model_copy(update={"steps": WARM_UP_STEPS - 1})
    times = run_step_benchmark(StepBenchmark((replace(runs[0], training=few),), 0), prepared)
    assert len(times.steps) == 1


def _fail_to_build(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def failing(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(module, "build_weights", failing)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), StackError("stacked, it computes something else")],
    ids=["memory", "stack"],
)
def test_a_pack_that_cannot_be_made_takes_for_ever(
    study: tuple[tuple[Run, ...], PreparedStudy], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    _fail_to_build(monkeypatch, error)
    times = run_step_benchmark(StepBenchmark(study[0], 0), study[1])
    assert (times.seconds, times.steps) == (float("inf"), ())


def test_a_bug_is_not_hidden(
    study: tuple[tuple[Run, ...], PreparedStudy], monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_to_build(monkeypatch, RuntimeError("mat1 and mat2"))
    with pytest.raises(RuntimeError, match="mat1"):
        run_step_benchmark(StepBenchmark(study[0], 0), study[1])


def test_a_benchmark_tells_the_peak_on_a_gpu_and_compiles_nothing(
    study: tuple[tuple[Run, ...], PreparedStudy], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiles: list[str] = []

    def make(prepared: PreparedRun) -> PackContext:
        return replace(make_context(prepared), compiles="on")

    def build(runs: Any, context: PackContext) -> Any:
        compiles.append(context.compiles)
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "make_context", make)
    monkeypatch.setattr(module, "build_weights", build)
    monkeypatch.setattr(cuda, "read_peak_memory", lambda: 77)
    times = run_step_benchmark(StepBenchmark(study[0], 0), study[1])
    assert (times.peak_device_memory_bytes, compiles) == (77, ["off"])


@pytest.mark.parametrize(
    ("spans", "kept"),
    [
        ([9.0] * 48 + [0.002] * 20 + [0.3, 0.004] + [0.002] * 10, [0.002] * 20 + [0.004] + [0.002] * 10),
        ([3.0, 0.002, 0.002], [0.002, 0.002]),
        ([], []),
    ],
    ids=["the first of a length", "few steps", "none"],
)
def test_on_a_gpu_steps_that_make_kernels_are_not_counted(spans: list[float], kept: list[float]) -> None:
    on_gpu = replace(make_tiny_context(), device=torch.device("cuda"))
    timed = module._select_timed([(100, span) for span in spans], on_gpu)
    assert [span for _, span in timed] == kept
    assert module._count_steps(on_gpu) == 80


def test_tokens_of_an_evaluation_are_those_of_its_padded_batches() -> None:
    tokens = make_tiny_tokens(40)
    counted = count_evaluation_tokens(tokens)
    longest = compute_padded_length(tokens, tokens.lengths.argsort()[-1:])
    assert tokens.lengths.sum() <= counted <= len(tokens) * longest
