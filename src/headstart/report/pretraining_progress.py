"""Shows a pretraining while it trains: a bar with loss and speed on a terminal, lines elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from headstart.events import EpochDone, Event, StepDone, StepMeasured
from headstart.report.console import is_live, make_console
from headstart.report.stages import StageLine


class PretrainingProgress:
    """`on_event` takes every event, `log` every sentence, `on_stage` every stage."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or make_console(stderr=True)
        self._stage = StageLine(self._console)
        self._bar = Progress(
            TextColumn("steps"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not is_live(self._console),
        )
        self._task = self._bar.add_task("steps", total=None, note="")
        self._loss = self._speed = ""
        self._begun = False

    def __enter__(self) -> PretrainingProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stage.hide()
        self._bar.stop()

    def on_stage(self, stage: str) -> None:
        """Show what takes a while before the first step."""
        if not self._begun:
            self._stage.on_stage(stage)

    def log(self, sentence: str) -> None:
        """Print one line of news."""
        self._stage.hide()
        self._console.print(Text(sentence, style="dim"), soft_wrap=not is_live(self._console))

    def on_event(self, event: Event) -> None:
        """Show an event."""
        match event:
            case StepDone():
                self._show_step(event)
            case StepMeasured(values=values):
                self._speed = _describe_speed(values)
            case EpochDone(epoch=epoch):
                valid = epoch.valid
                self.log(
                    f"step {epoch.step:,}: train loss {epoch.train_loss:.3f}, "
                    f"valid loss {valid['loss']:.3f}, "
                    f"accuracy {100 * valid['accuracy']:.1f}%, {valid['bits_per_byte']:.3f} bits per byte"
                    f"{self._speed}"
                )

    def _show_step(self, event: StepDone) -> None:
        if not self._begun:
            self._begun = True
            self._stage.hide()
            self._bar.start()
        note = f"loss {event.loss:.3f}{self._speed}"
        self._bar.update(self._task, completed=event.step, total=event.total, note=note)


def _describe_speed(values: dict[str, float]) -> str:
    share = values.get("train/flops_share")
    of_peak = "" if share is None else f", {100 * share:.1f}% of peak"
    return f", {values['train/tokens_per_second']:,.0f} tokens/s{of_peak}"
