"""Reads a run's curves from its TensorBoard files, without TensorFlow; also while they are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.errors import DataLossError, OpError

#: By tag, by step.
Scalars = Mapping[str, Mapping[int, float]]


def read_scalars(folder: Path) -> Scalars:
    """The scalars of a run whose curves lie there, by tag and step, in the order of steps.

    What was told twice counts as it was told last. Empty where there are none; of a damaged file, or one
    that is being written, what stands before its end.
    """
    files = [(file.stat().st_mtime_ns, file) for file in folder.glob("events.out.tfevents.*")]
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for _, file in sorted(files):
        for tag, step, value in _iter_scalars(file):
            found[tag][step] = value
    return {tag: dict(sorted(values.items())) for tag, values in found.items()}


def _iter_scalars(file: Path) -> Iterator[tuple[str, int, float]]:
    try:
        for raw in RawEventFileLoader(str(file)).Load():
            event = Event.FromString(raw)
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    yield value.tag, event.step, value.simple_value
    except (OSError, DataLossError, OpError, DecodeError):
        return  # curves decide nothing: who shows them has fewer points
