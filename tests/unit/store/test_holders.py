"""Who holds a lease, and whether that process is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from headstart.store import holders
from headstart.store.holders import Holder, describe_this_process, read_start


def test_this_process_is_here_and_not_gone() -> None:
    holder = describe_this_process()
    assert (holder.process, holder.is_here, holder.is_gone) == (os.getpid(), True, False)
    assert f"process {os.getpid()} on host" in str(holder)


def test_a_later_process_with_the_same_id_is_another() -> None:
    holder = describe_this_process()
    assert holder.model_copy(update={"started": holder.started - 1}).is_gone


def test_of_a_process_elsewhere_it_is_not_known_whether_it_is_gone() -> None:
    elsewhere = describe_this_process().model_copy(update={"machine": "another", "process": 999_999_999})
    assert (elsewhere.is_here, elsewhere.is_gone) == (False, False)


def test_a_process_that_ended_has_no_start_asked_for_or_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        os.sched_yield()
    assert read_start(child.pid) is None, "it has ended, and nobody asked for it yet"
    child.wait()
    assert read_start(child.pid) is None


def test_where_there_is_no_proc_psutil_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "Path", lambda path: Path("/nowhere") / path.lstrip("/"))
    assert read_start(os.getpid()) == psutil.Process().create_time()
    assert read_start(999_999_999) is None


@pytest.mark.parametrize(
    "change", [{"process": -1}, {"process": 0}, {"process": 2**40}, {"lost": 10**30}, {"host": "x" * 9999}]
)
def test_a_holder_that_none_can_be_is_none(change: dict[str, Any]) -> None:
    values = describe_this_process().model_dump() | change
    with pytest.raises(ValidationError):
        Holder.model_validate(values)
