"""Shows a study while it trains: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from headstart.config.runs import Run
from headstart.events import EpochDone, Event, RunEnded, RunStarted, StepDone
from headstart.records import Collapse, RunRecord, format_duration, format_run_key
from headstart.report.collapsed import describe_collapse
from headstart.report.console import make_console
from headstart.report.numbers import format_metric


class StudyProgress:
    """One bar for the study with the time left, and one for each run under way.

    `on_event` takes every event, `log` every sentence; `begin` says how many runs are about to train.
    """

    def __init__(self, metric: str, console: Console | None = None) -> None:
        self._console = console or make_console(stderr=True)
        self._metric = metric
        self._runs, self._ended, self._began = 0, 0, time.monotonic()
        self._shares: dict[str, float] = {}
        self._bar_of: dict[str, TaskID] = {}
        self._best: dict[str, str] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._study = self._bars.add_task("[bold]study", total=None, note="")

    def __enter__(self) -> StudyProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, runs: int) -> None:
        """So many runs are about to train: the bar and the time left are theirs from now on."""
        self._runs, self._ended, self._began = runs, 0, time.monotonic()
        self._bars.update(self._study, completed=0, total=runs, note="")

    def log(self, sentence: str) -> None:
        """Print one line of news, above the bars."""
        self._print_line(Text(sentence, style="dim"))

    def on_event(self, event: Event) -> None:
        """Show an event."""
        match event:
            case RunStarted(run):
                self._add_bar(run)
            case StepDone():
                self._show_step(event)
            case EpochDone():
                self._show_epoch(event)
            case RunEnded(record, collapse):
                self._show_end(record, collapse)

    def _add_bar(self, run: Run) -> None:
        self._shares[run.key] = 0.0
        if run.key in self._bar_of:  # it began anew, in a smaller pack
            self._bars.remove_task(self._bar_of[run.key])
        self._bar_of[run.key] = self._bars.add_task(f"  {_shorten_key(run)}", total=None, note="")

    def _show_step(self, event: StepDone) -> None:
        key = event.run.key
        self._shares[key] = event.step / event.total
        note = f"loss {event.loss:.3f}{self._best.get(key, '')}"
        self._bars.update(self._bar_of[key], completed=event.step, total=event.total, note=note)
        self._bars.update(self._study, note=self._estimate_time_left())

    def _show_epoch(self, event: EpochDone) -> None:
        metric, epoch, best = self._metric, event.epoch, event.best
        value = format_metric(metric, best.valid[metric])
        self._best[event.run.key] = f", best valid {metric} {value} (epoch {best.epoch})"
        if not self._console.is_terminal:
            valid = f"valid {metric} {format_metric(metric, epoch.valid[metric])}"
            self.log(f"{event.run.key}: epoch {epoch.epoch}: loss {epoch.train_loss:.3f}, {valid}")

    def _show_end(self, record: RunRecord, collapse: Collapse | None) -> None:
        self._ended += 1
        self._shares.pop(record.key, None)
        if record.key in self._bar_of:
            self._bars.remove_task(self._bar_of.pop(record.key))
        self._bars.update(self._study, completed=self._ended, note=self._estimate_time_left())
        line = _describe_end(record, self._metric) + describe_collapse(collapse)
        self._print_line(Text(line, style="red" if record.error else "yellow" if collapse else ""))

    def _print_line(self, line: Text) -> None:
        # In a log one piece of news is one line, however long.
        self._console.print(line, soft_wrap=not self._console.is_terminal)

    def _estimate_time_left(self) -> str:
        """The time left, if the other runs go as fast as what is done."""
        done = self._ended + sum(self._shares.values())
        if done < 0.05:
            return ""
        left = (time.monotonic() - self._began) * (self._runs - done) / done
        return f"about {format_duration(left)} left"


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
