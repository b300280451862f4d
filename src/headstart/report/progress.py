"""Shows a study from its first second on: stages, then bars on a terminal; plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from headstart.config.runs import Run
from headstart.events import EpochDone, Event, PacksPlanned, RunEnded, RunStarted, StepDone
from headstart.planning.time_left import TimeLeft
from headstart.records import Collapse, RunRecord, format_duration, format_run_key
from headstart.report.collapsed import describe_collapse
from headstart.report.console import is_live, make_console
from headstart.report.numbers import format_metric
from headstart.report.stages import StageLine, cut_column

#: Seconds after which a log that says nothing of runs that ended says how far they are.
_QUIET_SECONDS: Final = 30.0


class StudyProgress:
    """One bar for the study with the time left, and one for each run under way; before them the stages.

    `on_event` takes every event, `log` every sentence, `on_stage` every stage; `begin` says how many runs are
    about to train. Elsewhere than on a terminal the time left is told with each run that has ended, or after
    `_QUIET_SECONDS` without one.
    """

    def __init__(
        self, metric: str, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or make_console(stderr=True)
        self._is_live, self._clock, self._metric = is_live(self._console), clock, metric
        self._runs, self._ended, self._told_at = 0, 0, clock()
        self._time_left = TimeLeft(clock)
        self._stage = StageLine(self._console)
        self._bar_of: dict[str, TaskID] = {}
        self._best: dict[str, str] = {}
        self._bars = Progress(
            TextColumn("{task.description}", table_column=cut_column()),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _NoteColumn(table_column=cut_column()),
            console=self._console,
            transient=True,
            disable=not self._is_live,
        )
        self._study = self._bars.add_task("[bold]study", total=None, note=self._describe_time_left)

    def __enter__(self) -> StudyProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()

    def hide(self) -> None:
        """Take bars and stage away."""
        self._stage.hide()
        self._bars.stop()

    def on_stage(self, stage: str) -> None:
        """Show what takes a while, where no run is under way: those have bars."""
        if not self._bar_of:
            self._bars.stop()
            self._stage.on_stage(stage)

    def begin(self, runs: int) -> None:
        """So many runs are about to train: the bar and the time left are theirs from now on."""
        self._runs, self._ended, self._told_at = runs, 0, self._clock()
        self._bars.update(self._study, completed=0, total=runs)

    def log(self, sentence: str) -> None:
        """Print one line of news, above the bars; a stage is over then."""
        self._stage.hide()
        self._print_line(Text(sentence, style="dim"))

    def on_event(self, event: Event) -> None:
        """Show an event."""
        match event:
            case PacksPlanned():
                self._time_left.plan(event)
            case RunStarted(run):
                self._add_bar(run)
            case StepDone():
                self._show_step(event)
            case EpochDone():
                self._show_epoch(event)
            case RunEnded(record, collapse):
                self._show_end(record, collapse)

    def _add_bar(self, run: Run) -> None:
        self._stage.hide()
        self._bars.start()
        self._time_left.start(run.key)
        if run.key in self._bar_of:  # it began anew, in a smaller pack
            self._bars.remove_task(self._bar_of[run.key])
        self._bar_of[run.key] = self._bars.add_task(f"  {_shorten_key(run)}", total=None, note="")

    def _show_step(self, event: StepDone) -> None:
        key = event.run.key
        self._time_left.advance(key, event.step / event.total)
        note = f"loss {event.loss:.3f}{self._best.get(key, '')}"
        self._bars.update(self._bar_of[key], completed=event.step, total=event.total, note=note)
        self._show_time_left()

    def _show_epoch(self, event: EpochDone) -> None:
        metric, epoch, best = self._metric, event.epoch, event.best
        value = format_metric(metric, best.valid[metric])
        self._best[event.run.key] = f", best valid {metric} {value} (epoch {best.epoch})"
        if not self._is_live:
            valid = f"valid {metric} {format_metric(metric, epoch.valid[metric])}"
            self.log(f"{event.run.key}: epoch {epoch.epoch}: loss {epoch.train_loss:.3f}, {valid}")

    def _show_end(self, record: RunRecord, collapse: Collapse | None) -> None:
        self._ended += 1
        self._time_left.end(record.key)
        self._time_left.renew()
        if record.key in self._bar_of:
            self._bars.remove_task(self._bar_of.pop(record.key))
        self._bars.update(self._study, completed=self._ended)
        line = _describe_end(record, self._metric) + describe_collapse(collapse)
        ending = Text(line, style="red" if record.error else "yellow" if collapse else "")
        if not self._is_live:
            ending.append(f"; {self._describe_progress()}")
            self._told_at = self._clock()
        self._print_line(ending)
        self._show_time_left()

    def _show_time_left(self) -> None:
        """In a line of its own, where no bar shows it and no line has told it for long."""
        self._time_left.renew()
        if not self._is_live and self._clock() - self._told_at >= _QUIET_SECONDS:
            self._told_at = self._clock()
            self.log(self._describe_progress())

    def _describe_progress(self) -> str:
        left = self._describe_time_left()
        return f"{self._ended} of {self._runs} runs finished{left and ', '}{left}"

    def _describe_time_left(self) -> str:
        left = self._time_left.count_down()
        if left is None:
            return ""
        return f"about {format_duration(left)} left" if left >= 1 else "almost done"

    def _print_line(self, line: Text) -> None:
        # In a log one piece of news is one line, however long.
        self._console.print(line, soft_wrap=not self._is_live)


class _NoteColumn(ProgressColumn):
    """What stands behind a bar: words, or a function that gives them each time the bar is drawn."""

    def render(self, task: Task) -> Text:
        """As `ProgressColumn`."""
        note = task.fields["note"]
        return Text(note() if callable(note) else note, style="dim")


def _shorten_key(run: Run) -> str:
    """The run's key, with the bare values of its setting: short enough for a line that holds a bar too."""
    values = ",".join(f"{value:g}" for _, value in run.grid_point)
    return f"{format_run_key(run.arm, run.size, run.seed, (), for_tuning=run.for_tuning)} {values}".rstrip()


def _describe_end(record: RunRecord, metric: str) -> str:
    if record.status == "failed" or record.valid is None:
        return f"{record.key}: failed: {record.error}"
    epoch = f" (best epoch {record.best_epoch})" if record.best_epoch else ""
    test = f", test {format_metric(metric, record.test[metric])}" if record.test else ""
    valid = f"valid {metric} {format_metric(metric, record.valid[metric])}"
    return f"{record.key}: {valid}{epoch}{test}, {format_duration(record.seconds)}"
