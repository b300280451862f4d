"""Shows on standard error what takes a while, until something is printed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from headstart.cli.output import is_quiet, set_live_line
from headstart.report.stages import StageLine
from headstart.stages import listen_to_stages

#: Seconds of a command that go by before it says what it does: most take less.
_PATIENCE: Final = 1.0


@contextmanager
def show_stages(*, after: float | None = None) -> Iterator[None]:
    """Show the stages that begin inside the block, once the command has run for `after` seconds."""
    line = StageLine(after=_PATIENCE if after is None else after)
    with line, listen_to_stages(lambda stage: _show(line, stage)):
        former = set_live_line(line.hide)
        try:
            yield
        finally:
            set_live_line(former)


def _show(line: StageLine, stage: str) -> None:
    """Show the stage, unless whoever called wants no progress."""
    if not is_quiet():
        line.on_stage(stage)
