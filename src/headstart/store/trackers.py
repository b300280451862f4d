"""TensorBoard curves of a run, written without torch."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from headstart.records import EpochPoint


class TensorBoard:
    """One run's event file: `train/*` by step, the rest by epoch.

    `best/valid_<metric>` and `best/test_<metric>` are the figures at the epoch that the selection rule
    would choose so far; the test never chooses.
    """

    def __init__(self, folder: Path, metric: str) -> None:
        self._writer = EventFileWriter(str(folder))
        self._metric = metric

    def step(self, step: int, loss: float, rate: float) -> None:
        """One optimiser step."""
        self._scalar("train/loss", loss, step)
        self._scalar("train/lr", rate, step)

    def epoch(self, point: EpochPoint, best: EpochPoint) -> None:
        """One epoch's metrics, and those of the best epoch so far."""
        for part, scores in (("valid", point.valid), ("test", point.test or {})):
            for metric, value in scores.items():
                self._scalar(f"{part}/{metric}", value, point.epoch)
        for part, scores in (("valid", best.valid), ("test", best.test or {})):
            if self._metric in scores:
                self._scalar(f"best/{part}_{self._metric}", scores[self._metric], point.epoch)

    def _scalar(self, tag: str, value: float, step: int) -> None:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
