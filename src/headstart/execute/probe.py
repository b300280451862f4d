"""Times a few real steps of runs, alone or as a pack, and reads a few texts; what they learn is forgotten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from headstart.config.expand import Run
from headstart.data.batches import padded_length, reading_order
from headstart.data.tokenise import Tokens
from headstart.engine.evaluate import MOST_TOKENS, evaluate
from headstart.engine.member import Member, Setting, turn_tokens, turns_with_longest
from headstart.engine.memory import is_out_of_memory, peak_bytes, reset_peak
from headstart.engine.stack import members_in
from headstart.engine.train import single_steps
from headstart.engine.weights import Weights
from headstart.errors import StackError
from headstart.prepared import PreparedStudy as Prepared
from headstart.training.build import build_weights, make_context, make_members

#: Steps that fill caches and memory first, steps timed then, and seconds after which none is begun.
WARM, STEPS, PATIENCE = 4, 10, 12.0


@dataclass(frozen=True)
class Probe:
    """Steps of `runs`, trained as one, to be timed with `threads` threads (0: as torch has it) on
    `processors` (none: as the process is)."""

    runs: tuple[Run, ...]
    threads: int
    processors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Timing:
    """Seconds of one step on average, and the process's peak of resident memory in bytes.

    `steps` are the steps timed, each as (tokens of one run with their padding, seconds); `reading` is the
    same of one evaluation; `start` are the seconds until the first step.
    """

    seconds: float
    peak_memory_bytes: int
    steps: tuple[tuple[int, float], ...] = field(default=(), repr=False)
    reading: tuple[int, float] | None = None
    start: float = 0.0


def time_steps(probe: Probe, prepared: Prepared) -> Timing:
    """Make the first steps of the probe's runs and forget them; infinite seconds where memory runs out.

    The first of them is the longest that a run can make, so that the peak of memory is that of training.
    """
    reset_peak()
    began = time.perf_counter()
    setting = make_context(prepared.select(probe.runs[0]))
    try:
        weights = build_weights([prepared.select(run) for run in probe.runs], setting)
        start = time.perf_counter() - began
        made = single_steps(_members(probe, prepared), weights, setting, longest_first=True)
        spans = _until_patience_ends(islice(made, WARM + STEPS))
        steps = list(zip(_tokens(probe, prepared, setting), spans, strict=False))
        reading = _read(weights, setting)
    except (RuntimeError, MemoryError, StackError) as error:
        if not isinstance(error, StackError) and not is_out_of_memory(error):
            raise
        return Timing(float("inf"), peak_bytes())
    timed = steps[WARM:] or steps[-1:]  # a run of few steps, or of very long ones, has few to time
    seconds = sum(span for _, span in timed) / len(timed) if timed else 0.0
    return Timing(seconds, peak_bytes(), tuple(timed), reading, start)


def _members(probe: Probe, prepared: Prepared) -> list[Member]:
    return make_members([prepared.select(run) for run in probe.runs])


def _until_patience_ends(steps: Iterator[None]) -> Iterator[float]:
    """The seconds of each step."""
    started = last = time.perf_counter()
    for _ in steps:
        now = time.perf_counter()
        yield now - last
        last = now
        if now - started > PATIENCE:
            return


def _tokens(probe: Probe, prepared: Prepared, setting: Setting) -> Iterator[int]:
    """The tokens of a run in each step, on average."""
    turns = [turns_with_longest(member, setting) for member in _members(probe, prepared)]
    for shares in zip(*turns, strict=False):
        yield sum(turn_tokens(turn, setting) for turn in shares) // len(shares)


def _read(weights: Weights, setting: Setting) -> tuple[int, float]:
    """Tokens and seconds of one batch of an evaluation: valid texts of every length."""
    texts = setting.parts["valid"]
    few = _spread(texts.tokens, max(1, MOST_TOKENS // members_in(weights.module)))
    began = time.perf_counter()
    evaluate(
        weights.module,
        _some(texts.tokens, few),
        texts.labels[few],
        task=setting.task,
        outputs=setting.classes,
        pad_id=setting.pad_id,
        device=setting.device,
        precision=setting.precision,
    )
    return reading_tokens(_some(texts.tokens, few)), time.perf_counter() - began


def _spread(tokens: Tokens, most: int) -> np.ndarray:
    """Texts of even ranks of length, as many as hold about `most` tokens; one at least."""
    count = min(len(tokens), max(1, int(most / max(1.0, float(tokens.lengths.mean())))))
    ranks = np.linspace(0, len(tokens) - 1, count).astype(int)
    return np.asarray(np.argsort(tokens.lengths, kind="stable")[ranks])


def _some(tokens: Tokens, index: np.ndarray) -> Tokens:
    """The texts at `index` alone."""
    spans = [slice(tokens.starts[i], tokens.starts[i + 1]) for i in index]

    def taken(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.concatenate([values[span] for span in spans])

    ids = np.concatenate([tokens.ids[span] for span in spans])
    starts = np.concatenate([[0], np.cumsum(tokens.lengths[index])])
    return Tokens(ids, starts, taken(tokens.types), 0, None, taken(tokens.targets))


def reading_tokens(tokens: Tokens) -> int:
    """Tokens of an evaluation, padding included."""
    windows = reading_order(tokens.lengths, MOST_TOKENS, len(tokens))
    return sum(len(batch) * padded_length(tokens, batch) for window in windows for batch in window)
