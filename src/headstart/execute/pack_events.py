"""Carries what happens to a pack's runs from its holder to the coordinator, as lines of JSON in a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from headstart.config.runs import Run
from headstart.events import EpochDone, Event, RunStarted, StepDone
from headstart.records.queue import TOLD, ToldEpoch, ToldStart, ToldStep
from headstart.store.lease_files import append_as_it_is, read_as_it_is

#: Seconds between two writings: who reads is a person.
TELL_SECONDS: Final = 2.0
#: Bytes that are read at a time, and of one line.
_MOST_READ: Final = 2**20
_MOST_LINE: Final = 2**16


class EventWriter:
    """Writes what is told of a pack's runs, now and then; of each run's steps the last one.

    What cannot be written is left out: the runs' records do not depend on it.
    """

    def __init__(self, file: Path, runs: Sequence[Run], clock: Callable[[], float] = time.monotonic) -> None:
        self._file, self._clock = file, clock
        self._place = {run.key: i for i, run in enumerate(runs)}
        self._lines: list[str] = []
        self._steps: dict[int, str] = {}
        self._written = float("-inf")

    def on_event(self, event: Event) -> None:
        """Take an event, and write those that wait if it is time."""
        match event:
            case RunStarted(run):
                self._lines.append(ToldStart(run=self._place[run.key]).model_dump_json())
            case StepDone(run, step, total, loss, rate):
                place = self._place[run.key]
                told = ToldStep(run=place, step=step, total=total, loss=loss, learning_rate=rate)
                self._steps[place] = told.model_dump_json()
            case EpochDone(run, epoch, best):
                told_epoch = ToldEpoch(run=self._place[run.key], epoch=epoch, best=best)
                self._lines.append(told_epoch.model_dump_json())
        if self._clock() - self._written >= TELL_SECONDS:
            self._write()

    def _write(self) -> None:
        lines = [*self._lines, *self._steps.values()]
        with suppress(OSError):
            if lines and self._file.parent.is_dir():
                append_as_it_is(self._file, "".join(f"{line}\n" for line in lines))
        self._lines, self._steps, self._written = [], {}, self._clock()


class EventReader:
    """Reads on in such a file; what is no event of one of the runs is passed over."""

    def __init__(self, file: Path, runs: Sequence[Run], metric: str) -> None:
        self.file = file
        self._runs, self._metric, self._read = runs, metric, 0
        self._started: set[int] = set()

    def read(self) -> Iterator[Event]:
        """The events since the last time; a run begins before all else is told of it."""
        try:
            content = read_as_it_is(self.file, _MOST_READ, self._read)
        except OSError:
            return
        whole, line_end, _ = content.rpartition(b"\n")
        if not line_end:
            self._read += len(content) if len(content) == _MOST_READ else 0
            return
        self._read += len(whole) + 1
        for line in whole.split(b"\n"):
            if len(line) <= _MOST_LINE:
                yield from self._parse(line)

    def _parse(self, line: bytes) -> Iterator[Event]:
        try:
            told = TOLD.validate_json(line)
        except ValidationError:
            return
        if told.run >= len(self._runs):
            return
        run = self._runs[told.run]
        if isinstance(told, ToldStart) or told.run not in self._started:
            self._started.add(told.run)
            yield RunStarted(run)
        if isinstance(told, ToldStep) and told.step <= told.total:
            yield StepDone(run, told.step, told.total, told.loss, told.learning_rate)
        elif isinstance(told, ToldEpoch) and self._metric in told.epoch.valid.keys() & told.best.valid:
            yield EpochDone(run, told.epoch, told.best)
