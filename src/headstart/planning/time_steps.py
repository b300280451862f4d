"""Times a few real steps of runs, alone or as a pack, and an evaluation; what they learn is forgotten."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Final

import numpy as np

from headstart import cuda
from headstart.data.batches import compute_padded_length, iter_eval_batches
from headstart.data.tokenise import Tokens
from headstart.engine.evaluate import TOKENS_PER_BATCH, evaluate_members
from headstart.engine.member import PackContext, count_padded_tokens, iter_longest_first
from headstart.engine.memory import is_out_of_memory, read_peak_bytes, reset_peak_memory
from headstart.engine.stacked_model import count_members
from headstart.engine.train import iter_training_steps
from headstart.engine.weights import Weights
from headstart.errors import StackError
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.prepared import PreparedRun, PreparedStudy
from headstart.training.build import build_weights, make_context, make_members

#: Steps that fill caches and memory first, steps timed then, and seconds after which none is begun.
WARM_UP_STEPS: Final = 4
TIMED_STEPS: Final = 10
MOST_SECONDS: Final = 12.0
#: The same on a GPU, where a step of each new length makes kernels or is captured once: many are made before,
#: and a step that took so many times the median was such a one.
GPU_WARM_UP_STEPS: Final = 48
GPU_TIMED_STEPS: Final = 32
_FIRST_OF_ITS_LENGTH: Final = 4.0


def run_step_benchmark(benchmark: StepBenchmark, study: PreparedStudy) -> StepTimes:
    """Make the first steps of the benchmark's runs and forget them; infinite seconds where memory runs out.

    The first of them is the longest that a run can make, so that the peak of memory is that of training.
    """
    reset_peak_memory()
    cuda.start_peak_memory()
    began = time.perf_counter()
    runs = [study.select(run) for run in benchmark.runs]
    # Compiling takes longer than all that is timed here, and says little of one pack beside another.
    context = replace(make_context(runs[0]), compiles="off")
    try:
        weights = build_weights(runs, context)
        start = time.perf_counter() - began
        endless = iter_training_steps(make_members(runs), weights, context, longest_first=True)
        with closing(endless):  # which computes on a stream of its own until then
            spans = _time_each(islice(endless, _count_steps(context)))
            steps = list(zip(_count_step_tokens(runs, context), spans, strict=False))
        evaluation = _time_evaluation(weights, context)
    except (RuntimeError, MemoryError, StackError) as error:
        if not isinstance(error, StackError) and not is_out_of_memory(error):
            raise
        return _measure(float("inf"))
    timed = _select_timed(steps, context)
    seconds = sum(span for _, span in timed) / len(timed) if timed else 0.0
    return _measure(seconds, tuple(timed), evaluation, start)


def _measure(
    seconds: float,
    steps: tuple[tuple[int, float], ...] = (),
    evaluation: tuple[int, float] | None = None,
    start: float = 0.0,
) -> StepTimes:
    """What was timed, with the peaks of this process."""
    return StepTimes(seconds, read_peak_bytes(), steps, evaluation, start, cuda.read_peak_memory())


def _count_steps(context: PackContext) -> int:
    """Steps to make, those of warming up included."""
    on_cpu = context.device.type == "cpu"
    return WARM_UP_STEPS + TIMED_STEPS if on_cpu else GPU_WARM_UP_STEPS + GPU_TIMED_STEPS


def _select_timed(steps: list[tuple[int, float]], context: PackContext) -> list[tuple[int, float]]:
    """The steps after those of warming up; the last where a run has too few, or too long ones."""
    if context.device.type == "cpu":
        return steps[WARM_UP_STEPS:] or steps[-1:]
    timed = steps[GPU_WARM_UP_STEPS:] or steps[-GPU_TIMED_STEPS:]
    limit = _FIRST_OF_ITS_LENGTH * float(np.median([span for _, span in timed])) if timed else 0.0
    return [step for step in timed if step[1] <= limit]


def _time_each(steps: Iterator[object]) -> Iterator[float]:
    """The seconds of each step, until `MOST_SECONDS` have passed."""
    started = last = time.perf_counter()
    for _ in steps:
        now = time.perf_counter()
        yield now - last
        last = now
        if now - started > MOST_SECONDS:
            return


def _count_step_tokens(runs: Sequence[PreparedRun], context: PackContext) -> Iterator[int]:
    """The tokens of a run in each step, on average over the runs."""
    longest_first = [iter_longest_first(member, context) for member in make_members(runs)]
    for step_batches in zip(*longest_first, strict=False):
        yield sum(count_padded_tokens(batches, context) for batches in step_batches) // len(step_batches)


def _time_evaluation(weights: Weights, context: PackContext) -> tuple[int, float]:
    """Tokens and seconds of one batch of an evaluation: valid examples of every length."""
    valid = context.parts["valid"]
    index = _choose_of_every_length(valid.tokens, max(1, TOKENS_PER_BATCH // count_members(weights.module)))
    tokens = _select_examples(valid.tokens, index)
    began = time.perf_counter()
    evaluate_members(
        weights.module,
        tokens,
        valid.labels[index],
        task=context.task,
        outputs=context.outputs,
        pad_id=context.pad_id,
        device=context.device,
        precision=context.precision,
    )
    return count_evaluation_tokens(tokens), time.perf_counter() - began


def _choose_of_every_length(tokens: Tokens, most_tokens: int) -> np.ndarray:
    """Examples of evenly spaced ranks of length that hold about `most_tokens` tokens; one at least."""
    count = min(len(tokens), max(1, int(most_tokens / max(1.0, float(tokens.lengths.mean())))))
    ranks = np.linspace(0, len(tokens) - 1, count).astype(int)
    return np.asarray(np.argsort(tokens.lengths, kind="stable")[ranks])


def _select_examples(tokens: Tokens, index: np.ndarray) -> Tokens:
    """The examples at `index` alone."""
    spans = [slice(tokens.starts[i], tokens.starts[i + 1]) for i in index]

    def select(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.concatenate([values[span] for span in spans])

    ids = np.concatenate([tokens.input_ids[span] for span in spans])
    starts = np.concatenate([[0], np.cumsum(tokens.lengths[index])])
    return Tokens(ids, starts, select(tokens.token_type_ids), 0, None, select(tokens.loss_mask))


def count_evaluation_tokens(tokens: Tokens) -> int:
    """Tokens that an evaluation computes, padding included."""
    windows = iter_eval_batches(tokens.lengths, TOKENS_PER_BATCH, len(tokens))
    return sum(len(batch) * compute_padded_length(tokens, batch) for window in windows for batch in window)
