"""Ends the queue of a folder that a process is to have to itself again; not while workers hold packs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from headstart.errors import OutputError
from headstart.events import Log, ignore_log
from headstart.store.holders import Holder
from headstart.store.layout import StudyLayout
from headstart.store.lease import POLL_SECONDS, read_stale_seconds
from headstart.store.lease_watch import LeaseWatch
from headstart.store.queue_files import QueueFiles

_FIX: Final = "go on with them: headstart run --no-local-workers; wait for them (--wait); or end them"


def end_queue(out: Path, *, wait: bool = False, log: Log = ignore_log) -> None:
    """Remove the queue from the folder, which this process holds: nobody takes packs from it any more.

    Of workers elsewhere it may take looks to know whether they live.

    Raises:
        OutputError: workers hold packs of it, and `wait` is not set.
    """
    files = QueueFiles(StudyLayout(out))
    if not files.folder.is_dir():
        return
    watch, told = LeaseWatch(read_stale_seconds()), ""
    while holders := _find_holders(files, watch):
        living = [holder for holder, lives in holders if lives]
        if living and not wait:
            raise OutputError(f"workers train its runs: {_name(living)}", where=str(out), fix=_FIX)
        sentence = f"waiting for workers that train runs of {out}: {_name([one for one, _ in holders])}"
        if not living:
            sentence = f"workers held packs of {out}: checking whether they are still running"
        if sentence != told:
            log(sentence)
            told = sentence
        time.sleep(POLL_SECONDS)
    files.remove()


def _find_holders(files: QueueFiles, watch: LeaseWatch) -> list[tuple[Holder | None, bool]]:
    """Who holds packs, or may, and whether that is known."""
    judged = [watch.judge(name, files.list_leases(name)) for name in sorted(files.list_taken())]
    return [(one.holder, one.lives) for one in judged if one.state == "held"]


def _name(holders: list[Holder | None]) -> str:
    first = str(holders[0]) if holders[0] else "an unknown process"
    return first + (f" and {len(holders) - 1} more" if len(holders) > 1 else "")
