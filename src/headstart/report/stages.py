"""Shows the stage that goes on: a line that moves on a terminal, a plain line for each stage elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from headstart.report.console import is_live, make_console


class StageLine:
    """The stage that goes on, shown once the command has run for `after` seconds; a short one shows nothing.

    `on_stage` takes each stage as it begins, `hide` takes the line away until the next one.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        after: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or make_console(stderr=True)
        self._clock, self._shown_from = clock, clock() + after
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._stage: str | None = None
        self._told: str | None = None
        self._moving: Progress | None = None

    def __enter__(self) -> StageLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()

    def on_stage(self, stage: str) -> None:
        """Take the stage that begins."""
        self.hide()
        with self._lock:
            self._stage = stage
            if (wait := self._shown_from - self._clock()) <= 0:
                self._show(stage)
                return
            self._timer = threading.Timer(wait, self._show_late, [stage])
            self._timer.daemon = True
            self._timer.start()

    def hide(self) -> None:
        """Take the line away, as before something else is printed."""
        with self._lock:
            self._stage = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._moving is not None:
                self._moving.stop()
                self._moving = None

    def _show_late(self, stage: str) -> None:
        with self._lock:
            if self._stage == stage:
                self._show(stage)

    def _show(self, stage: str) -> None:
        if is_live(self._console):
            self._moving = _make_line(stage, self._console)
            self._moving.start()
        elif stage != self._told:
            self._told = stage
            self._console.print(Text(stage, style="dim"), soft_wrap=True)


def _make_line(stage: str, console: Console) -> Progress:
    """A line that moves, with the seconds that have passed; it is taken away in the end."""
    words = TextColumn("{task.description}", style="dim", markup=False, table_column=cut_column())
    line = Progress(SpinnerColumn(), words, TimeElapsedColumn(), console=console, transient=True)
    line.add_task(stage, total=None)
    return line


def cut_column() -> Column:
    """A column whose texts are cut where the terminal is narrow: a line of two could not be taken away."""
    return Column(no_wrap=True, overflow="ellipsis")
