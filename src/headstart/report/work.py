"""Says in a line what a worker did in a study's folder, and why it ended."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from headstart.records import format_duration
from headstart.store.work_done import Ending, Work
from headstart.wording import format_count

_WHY: Final[dict[Ending, str]] = {
    "closed": "the study has ended",
    "nothing-left": "no pack is left; headstart run --no-local-workers concludes",
    "most-packs": "as many packs as it was to take",
    "changed": "the queue is gone",
}


def describe_work(work: Work) -> str:
    """Its packs and runs, its seconds, and the reason."""
    runs = format_count(len(work.done) + len(work.failed), "run")
    failed = f", {len(work.failed)} of them failed" if work.failed else ""
    packs, seconds = format_count(work.packs, "pack"), format_duration(work.seconds)
    return f"trained {packs} ({runs}{failed}) in {seconds}: {_WHY[work.ending]}"


def render_work(work: Work) -> Text:
    """The same, for a terminal."""
    return Text(describe_work(work))
