"""Finds figures in a record that no run can have: shares, correlations, counts, epochs beyond their ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from headstart.config.metrics import describe_metric
from headstart.records import EpochPoint, RunRecord

#: Shares and correlations may pass their ends by the rounding of a sum.
_ROUNDING: Final = 1e-9


def find_impossible(record: RunRecord) -> str | None:
    """The first figure of the record that no run can have, in words; None where there is none."""
    return next(_list_impossible(record), None)


def _list_impossible(record: RunRecord) -> Iterator[str]:
    yield from _judge_scores("valid", record.valid or {})
    yield from _judge_scores("test", record.test or {})
    for point in record.epochs:
        yield from _judge_epoch(point)
    yield from _judge_epochs(record)
    for name, count in _list_counts(record):
        if not 0 <= count < math.inf:
            yield f"{name} is {count:g}"
    if record.status == "done" and record.valid is None:
        yield "the run is finished but has no valid metrics"


def _judge_scores(part: str, scores: Mapping[str, float]) -> Iterator[str]:
    """What is null in the file has no number, and is so known."""
    for name, value in scores.items():
        low, high = describe_metric(name).bounds
        if value < low - _ROUNDING or value > high + _ROUNDING:
            yield f"{part} {name} is {value:g}: it lies between {low:g} and {high:g}"


def _judge_epoch(point: EpochPoint) -> Iterator[str]:
    yield from _judge_scores(f"epoch {point.epoch}: valid", point.valid)
    yield from _judge_scores(f"epoch {point.epoch}: test", point.test or {})
    counts = {"step": point.step, "seconds": point.seconds, "learning_rate": point.learning_rate}
    yield from (f"epoch {point.epoch}: {name} is {value:g}" for name, value in counts.items() if value < 0)
    if not math.isfinite(point.train_loss):
        yield f"epoch {point.epoch}: train_loss is {point.train_loss:g}"


def _judge_epochs(record: RunRecord) -> Iterator[str]:
    numbers = [point.epoch for point in record.epochs]
    if numbers != sorted(set(numbers)):
        yield f"epochs are {numbers}: each comes once, in order"
    if record.status == "done" and numbers and record.best_epoch not in numbers:
        yield f"best_epoch is {record.best_epoch}, which is not one of its epochs"


def _list_counts(record: RunRecord) -> Iterator[tuple[str, float]]:
    yield "train_examples", record.train_examples
    yield "seconds", record.seconds
    yield "peak_memory_bytes", record.peak_memory_bytes or 0
    yield "peak_device_memory_bytes", record.peak_device_memory_bytes or 0
    if record.energy is not None:
        yield "energy.processor_joules", record.energy.processor_joules or 0
        yield "energy.gpu_joules", record.energy.gpu_joules or 0
    if record.parameters is not None:
        yield "parameters.total", record.parameters.total
        yield "parameters.trainable", record.parameters.trainable
    if isinstance(record.size, int):
        yield "size", record.size
