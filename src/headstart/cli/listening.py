"""Chooses who listens to a study while it trains: progress on standard error, or nobody but for warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from headstart.cli.output import is_quiet, print_news
from headstart.stages import listen_to_stages

Listeners = tuple[Callable[[Any], None], Callable[[str], None], Callable[[int], None]]


@contextmanager
def listen(metric: str) -> Iterator[Listeners]:
    """The three listeners of `headstart.run`: to events, to sentences, and to how many runs will train."""
    from headstart.events import ignore_events
    from headstart.report.progress import StudyProgress

    if is_quiet():
        yield ignore_events, print_news, lambda runs: None
        return
    with StudyProgress(metric) as progress, listen_to_stages(progress.on_stage):
        yield progress.on_event, progress.log, progress.begin
