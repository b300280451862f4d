"""Reads a run's training loss by step from its TensorBoard files, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.errors import DataLossError, OpError

#: What `trackers.tensorboard` calls it.
_TAG: Final = "train/loss"


def read_step_losses(folder: Path) -> dict[int, float]:
    """The loss by optimiser step, in their order, of a run whose curves lie there; what was told twice counts
    as it was told last. Empty where there is none; of a damaged file what stands before the damage.
    """
    files = sorted(folder.glob("events.out.tfevents.*"), key=lambda file: file.stat().st_mtime_ns)
    losses: dict[int, float] = {}
    for file in files:
        losses |= dict(_iter_losses(file))
    return dict(sorted(losses.items()))


def _iter_losses(file: Path) -> Iterator[tuple[int, float]]:
    try:
        for raw in RawEventFileLoader(str(file)).Load():
            event = Event.FromString(raw)
            for value in event.summary.value:
                if value.tag == _TAG:
                    yield event.step, value.simple_value
    except (OSError, DataLossError, OpError, DecodeError):
        return  # curves decide nothing: who shows them has fewer points
