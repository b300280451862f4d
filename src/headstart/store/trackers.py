"""TensorBoard curves of a run, written without torch."""

from __future__ import annotations

import html
import time
from pathlib import Path
from types import TracebackType

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from headstart.records import EpochPoint, Sample


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

    def sample(self, number: int, sample: Sample) -> None:
        """A prompt with its answers before training and after, as a table of text."""
        rows = ("before", sample.before, sample.stopped_before), ("after", sample.after, sample.stopped_after)
        lines = [f"| {name} | {_cell(text)} | {'yes' if stop else 'no'} |" for name, text, stop in rows]
        table = "\n".join([f"**{_cell(sample.prompt)}**", "", "| | answer | stopped |", "|-|-|-|", *lines])
        self._text(f"samples/{number}", table, 0)

    def _text(self, tag: str, markdown: str, step: int) -> None:
        value = Summary.Value(
            tag=tag,
            metadata=SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text")),
            tensor=TensorProto(
                dtype="DT_STRING",
                string_val=[markdown.encode()],
                tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
            ),
        )
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=[value])))

    def _scalar(self, tag: str, value: float, step: int) -> None:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


def _cell(text: str) -> str:
    """A text inside a Markdown table: on one line, with nothing that the table or a browser would read."""
    return html.escape(" ".join(text.split())).replace("|", "&#124;")
