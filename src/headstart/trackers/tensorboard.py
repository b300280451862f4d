"""TensorBoard curves of a run, written without torch."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event as EventProto
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from headstart.config.runs import Run
from headstart.data.markdown import escape_markdown
from headstart.events import Event, RunEnded, RunStarted
from headstart.files import set_modes, write_file_atomically
from headstart.records import Sample
from headstart.trackers.base import BaseTracker, TrackedRun, TrackedStudy
from headstart.trackers.points import list_points
from headstart.trackers.run_settings import list_settings
from headstart.trackers.tensorboard_pages import (
    make_columns,
    make_layout,
    make_session_end,
    make_session_start,
    make_text_value,
)


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


def _open_writer(folder: Path, suffix: str = "") -> EventFileWriter:
    _hear_of_threads()
    return EventFileWriter(str(folder), filename_suffix=suffix)


class TensorBoardTracker(BaseTracker):
    """One run's event file: the points of `points.list_points`, a row of HPARAMS, and samples as text."""

    def __init__(self, tracked: TrackedRun, settings: Any) -> None:
        self._folder, self._metric = tracked.folder, tracked.study.metric
        self._writer = _open_writer(tracked.folder)

    @classmethod
    def begin_study(cls, study: TrackedStudy, settings: Any, runs: Sequence[Run]) -> None:
        """Write what the study's page of settings and its layout hold, once, beside the runs' folders."""
        pages = [
            make_columns([list_settings(run) for run in runs], study.metric),
            make_layout(study.metrics, study.metric),
        ]
        digest = hashlib.sha256(b"".join(page.SerializeToString() for page in pages)).hexdigest()
        _write_pages(study.folder / "tensorboard", pages, f".study-{digest[:12]}")

    def on_event(self, event: Event) -> None:
        """Write what an event brings."""
        if isinstance(event, RunStarted):
            self._write(make_session_start(event.run.key, list_settings(event.run)), 0)
        for point in list_points(event, self._metric):
            for tag, value in point.values.items():
                self._write(Summary(value=[Summary.Value(tag=tag, simple_value=value)]), point.at)
        if isinstance(event, RunEnded):
            self._write_samples(event.record.samples)
            self._write(make_session_end(is_done=event.record.status == "done", seconds=time.time()), 0)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
        set_modes(self._folder)

    def _write_samples(self, samples: Sequence[Sample]) -> None:
        """Prompts with their answers before training and after, each as a table of text."""
        described = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        for i, sample in enumerate(samples):
            text = _format_sample(sample).encode()
            self._write(Summary(value=[make_text_value(f"samples/{i}", text, described, size=1)]), 0)

    def _write(self, summary: Summary, step: int) -> None:
        self._writer.add_event(EventProto(wall_time=time.time(), step=step, summary=summary))


def _write_pages(folder: Path, pages: Sequence[Summary], suffix: str) -> None:
    """Write them as a file of that suffix, whole, in place of an earlier one, unless it is there."""
    earlier = list(folder.glob("events.out.tfevents.*.study-*"))
    if any(file.name.endswith(suffix) for file in earlier):
        return
    with tempfile.TemporaryDirectory() as own:
        writer = _open_writer(Path(own), suffix)
        for page in pages:
            writer.add_event(EventProto(wall_time=time.time(), step=0, summary=page))
        writer.flush()  # which says what the writer's thread could not write; `close` does not
        writer.close()
        for made in Path(own).iterdir():
            with write_file_atomically(folder / made.name) as temporary:
                shutil.copyfile(made, temporary)
    for file in earlier:
        file.unlink(missing_ok=True)


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
