"""Shows a study while it trains: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from headstart.config.expand import Run
from headstart.records import EpochPoint, RunRecord, duration
from headstart.report.numbers import number


class StudyProgress:
    """A watcher: one bar for the study with the time left, one line for each run under way."""

    def __init__(self, runs: int, metric: str, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._metric, self._runs, self._ended = metric, runs, 0
        self._shares: dict[str, float] = {}
        self._lines: dict[str, TaskID] = {}
        self._best: dict[str, str] = {}
        self._began = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._study = self._bars.add_task("[bold]study", total=runs, note="")

    def __enter__(self) -> StudyProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, sentence: str) -> None:
        """One line of news, above the bars."""
        self._print(Text(sentence, style="dim"))

    def started(self, run: Run) -> None:
        """A run began, perhaps anew."""
        self._shares[run.key] = 0.0
        if run.key in self._lines:
            self._bars.remove_task(self._lines[run.key])
        self._lines[run.key] = self._bars.add_task(f"  {_name(run)}", total=None, note="")

    def step(self, run: Run, step: int, total: int, loss: float) -> None:
        """A run made a step."""
        self._shares[run.key] = step / total
        note = f"loss {loss:.3f}{self._best.get(run.key, '')}"
        self._bars.update(self._lines[run.key], completed=step, total=total, note=note)
        self._bars.update(self._study, note=self._left())

    def epoch(self, run: Run, point: EpochPoint, best: EpochPoint) -> None:
        """A run ended an epoch."""
        value = number(self._metric, best.valid[self._metric])
        self._best[run.key] = f", best valid {self._metric} {value} (epoch {best.epoch})"
        if not self._console.is_terminal:
            now = number(self._metric, point.valid[self._metric])
            self.say(
                f"{run.key}: epoch {point.epoch}: loss {point.train_loss:.3f}, valid {self._metric} {now}"
            )

    def ended(self, record: RunRecord) -> None:
        """A run is done or failed."""
        self._ended += 1
        self._shares.pop(record.key, None)
        if record.key in self._lines:
            self._bars.remove_task(self._lines.pop(record.key))
        self._bars.update(self._study, completed=self._ended, note=self._left())
        self._print(Text(_line(record, self._metric), style="red" if record.error else ""))

    def _print(self, line: Text) -> None:
        # In a log one piece of news is one line, however long.
        self._console.print(line, soft_wrap=not self._console.is_terminal)

    def _left(self) -> str:
        """The time left, if the rest goes as fast as what is done."""
        done = self._ended + sum(self._shares.values())
        if done < 0.05:
            return ""
        left = (time.monotonic() - self._began) * (self._runs - done) / done
        return f"about {duration(left)} left"


def _name(run: Run) -> str:
    """The run's key, with the bare values of its setting: short enough for a line that holds a bar too."""
    values = ",".join(f"{value:g}" for _, value in run.setting)
    return f"{run.arm}/{run.size}/{run.seed} {values}".rstrip()


def _line(record: RunRecord, metric: str) -> str:
    if record.test is None or record.valid is None:
        return f"{record.key}: failed: {record.error}"
    valid, test = number(metric, record.valid[metric]), number(metric, record.test[metric])
    epoch = f" (best epoch {record.best_epoch})" if record.best_epoch else ""
    return f"{record.key}: valid {metric} {valid}{epoch}, test {test}, {duration(record.seconds)}"
