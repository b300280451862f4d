"""TensorBoard curves of a run, written without torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event as EventProto
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from headstart.data.markdown import escape_markdown
from headstart.events import EpochDone, Event, RunEnded, StepDone
from headstart.records import EpochPoint, RunRecord, Sample
from headstart.trackers.base import ClosingTracker
from headstart.trackers.end_scores import find_end_scores


def _leave_to_writer(args: threading.ExceptHookArgs) -> None:
    """Print no trace of a thread of a file's writer that could not write: who writes next is told."""
    is_of_writer = type(args.thread).__module__ == EventFileWriter.__module__
    if not (is_of_writer and isinstance(args.exc_value, OSError)):
        _print_trace(args)


_print_trace = threading.excepthook


def _hear_of_threads() -> None:
    """Have `_leave_to_writer` told of errors in threads, before whoever was told of them until now."""
    global _print_trace
    if threading.excepthook is not _leave_to_writer:
        _print_trace = threading.excepthook
        threading.excepthook = _leave_to_writer


class TensorBoardTracker(ClosingTracker):
    """One run's event file: `train/*` by step, the rest by epoch, samples as text.

    `best/valid_<metric>` and `best/test_<metric>` are the figures at the epoch that the selection rule
    would choose so far; the test never chooses. What is only known of a run that ended, such as what its
    answers are worth, stands at the epoch that was chosen, of a run without training at 0.
    """

    def __init__(self, folder: Path, metric: str) -> None:
        _hear_of_threads()
        self._writer = EventFileWriter(str(folder))
        self._metric = metric

    def on_event(self, event: Event) -> None:
        """Write what an event brings."""
        if isinstance(event, StepDone):
            self._write_scalar("train/loss", event.loss, event.step)
            self._write_scalar("train/lr", event.learning_rate, event.step)
        elif isinstance(event, EpochDone):
            self._write_epoch(event.epoch, event.best)
        elif isinstance(event, RunEnded):
            self._write_end(event.record)
            self._write_samples(event.record.samples)

    def _write_end(self, record: RunRecord) -> None:
        """The figures of the run that no epoch brought."""
        step = record.best_epoch or 0
        for part, scores in find_end_scores(record).items():
            for metric, value in scores.items():
                self._write_scalar(f"{part}/{metric}", value, step)
            if self._metric in scores:
                self._write_scalar(f"best/{part}_{self._metric}", scores[self._metric], step)

    def _write_samples(self, samples: Sequence[Sample]) -> None:
        """Prompts with their answers before training and after, each as a table of text."""
        for i, sample in enumerate(samples):
            self._write_text(f"samples/{i}", _format_sample(sample), 0)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()

    def _write_epoch(self, epoch: EpochPoint, best: EpochPoint) -> None:
        """One epoch's metrics, and those of the best epoch so far."""
        for part, scores in (("valid", epoch.valid), ("test", epoch.test or {})):
            for metric, value in scores.items():
                self._write_scalar(f"{part}/{metric}", value, epoch.epoch)
        for part, scores in (("valid", best.valid), ("test", best.test or {})):
            if self._metric in scores:
                self._write_scalar(f"best/{part}_{self._metric}", scores[self._metric], epoch.epoch)

    def _write_text(self, tag: str, markdown: str, step: int) -> None:
        value = Summary.Value(
            tag=tag,
            metadata=SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text")),
            tensor=TensorProto(
                dtype="DT_STRING",
                string_val=[markdown.encode()],
                tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
            ),
        )
        self._write_summary(Summary(value=[value]), step)

    def _write_scalar(self, tag: str, value: float, step: int) -> None:
        self._write_summary(Summary(value=[Summary.Value(tag=tag, simple_value=value)]), step)

    def _write_summary(self, summary: Summary, step: int) -> None:
        self._writer.add_event(EventProto(wall_time=time.time(), step=step, summary=summary))


def _format_sample(sample: Sample) -> str:
    """The prompt, and below it a Markdown table of both answers."""
    answers = (
        ("before", sample.before, sample.stopped_before),
        ("after", sample.after, sample.stopped_after),
    )
    rows = [
        f"| {name} | {escape_markdown(text)} | {'yes' if stopped else 'no'} |"
        for name, text, stopped in answers
    ]
    prompt = f"**{escape_markdown(sample.prompt)}**"
    return "\n".join([prompt, "", "| | answer | stopped |", "|-|-|-|", *rows])
