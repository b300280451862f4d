"""Gives a study's folder to one process at a time: whoever writes there holds it, by whatever path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from headstart.events import Log, ignore_log
from headstart.store.fences import Fence
from headstart.store.folder_mark import read_mark
from headstart.store.holders import Holder
from headstart.store.layout import StudyLayout
from headstart.store.lease import clearing_traces, hold_lease
from headstart.store.lease_files import LeaseFile, list_lease_files
from headstart.store.same_study import check_folder

_LEASE: Final = "folder"
_FIX: Final = "wait for it (--wait, or wait=True in Python), or name another folder: out=FOLDER"


@contextmanager
def hold_study_folder(
    out: Path, *, wait: bool = False, log: Log = ignore_log, fix: str = _FIX
) -> Iterator[Fence]:
    """Have the folder `out` to this process alone while the block runs; it is given back however that ends.

    The folder is made if need be, and removed where nothing was written into it. A process that was killed
    holds nothing.

    Args:
        wait: for a process that has it; `log` is told.
        fix: what one is told to do who does not wait.

    Raises:
        OutputError: another process has it and `wait` is not set; it is not ours, or cannot be written.
    """
    layout = StudyLayout(out)
    check_folder(layout)  # what is not ours is not touched at all
    with (
        clearing_traces(layout.own_folder, _LEASE, lambda: read_mark(layout) is not None),
        hold_lease(layout.own_folder, _LEASE, thing=out, fix=fix, wait=wait, log=log) as fence,
    ):
        yield fence


def find_holder(out: Path) -> Holder | None:
    """The process that has the study's folder `out`; None where none has, or it is known to have ended."""
    files = list_holders(StudyLayout(out))
    if not files or files[-1].is_free:
        return None
    holder, _ = files[-1].read()
    return None if holder is None or holder.is_gone else holder


def list_holders(layout: StudyLayout) -> list[LeaseFile]:
    """The files of the folder's lease, the one in force last."""
    return list_lease_files(layout.own_folder, _LEASE)
