"""Whether a lease is over is seen from its file alone, by looks that are not too far apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headstart.store.holders import Holder, describe_this_process, read_start
from headstart.store.lease import take_lease
from headstart.store.lease_files import LeaseFile, format_holder, list_lease_files
from headstart.store.lease_watch import LeaseWatch


class _Elsewhere:
    """A lease of another machine, whose clock is an hour off, and a watch of ours."""

    def __init__(self, folder: Path) -> None:
        self.now, self.folder = 0.0, folder
        self.watch = LeaseWatch(60.0, lambda: self.now)
        far = {"machine": "another", "host": "far", "since": "1999-01-01 00:00:00 UTC", "lost": 2}
        self.holder = Holder.model_validate(describe_this_process().model_dump() | far)
        self.file = folder / "pack.1.held"
        self.beat(0)

    def beat(self, count: int) -> None:
        """As its heart does."""
        content = format_holder(self.holder)
        self.file.write_bytes(content[:-21] + f"{count:020d}\n".encode())

    def list_files(self) -> list[LeaseFile]:
        return list_lease_files(self.folder, "pack")

    def judge_after(self, seconds: float) -> str:
        """What is known after so many seconds."""
        self.now += seconds
        return self.watch.judge("pack", self.list_files()).state


@pytest.fixture
def elsewhere(tmp_path: Path) -> _Elsewhere:
    return _Elsewhere(tmp_path)


def test_nothing_is_free(tmp_path: Path) -> None:
    assert LeaseWatch(60.0).judge("pack", list_lease_files(tmp_path, "pack")).state == "free"


def test_who_renews_has_it_for_ever(elsewhere: _Elsewhere) -> None:
    for count in range(100):
        elsewhere.beat(count)
        assert elsewhere.judge_after(10) == "held"
    assert elsewhere.watch.judge("pack", elsewhere.list_files()).lives


def test_who_renews_nothing_is_dead_after_the_seconds_and_counts_as_lost(elsewhere: _Elsewhere) -> None:
    states = [elsewhere.judge_after(10) for _ in range(8)]
    assert states == ["held"] * 7 + ["dead"]
    assert elsewhere.watch.judge("pack", elsewhere.list_files()).lost == 3


def test_an_absence_of_ours_is_not_theirs(elsewhere: _Elsewhere) -> None:
    """One who was stopped for an hour between two looks has seen a quarter of the seconds go by."""
    assert elsewhere.judge_after(0) == "held"
    assert [elsewhere.judge_after(3600) for _ in range(5)] == ["held"] * 4 + ["dead"]


def test_a_process_of_this_machine_that_is_gone_is_dead_at_once(tmp_path: Path) -> None:
    gone = describe_this_process().model_copy(update={"started": -1.0})
    (tmp_path / "pack.1.held").write_bytes(format_holder(gone))
    judged = LeaseWatch(60.0).judge("pack", list_lease_files(tmp_path, "pack"))
    assert (judged.state, judged.lost) == ("dead", 1)


def test_a_process_of_this_machine_that_lives_and_is_still_is_dead_too(elsewhere: _Elsewhere) -> None:
    parent = describe_this_process().model_copy(update={"process": os.getppid()})
    elsewhere.holder = parent.model_copy(update={"started": read_start(os.getppid()) or 0.0})
    elsewhere.beat(0)
    assert [elsewhere.judge_after(15) for _ in range(6)] == ["held"] * 5 + ["dead"]


def test_what_was_given_back_is_free_and_keeps_its_count(tmp_path: Path) -> None:
    with take_lease(tmp_path, "pack", [], stale=60.0, lost=4) as fence:
        assert fence is not None
        assert LeaseWatch(60.0).judge("pack", list_lease_files(tmp_path, "pack")).state == "held"
    judged = LeaseWatch(60.0).judge("pack", list_lease_files(tmp_path, "pack"))
    assert (judged.state, judged.lost) == ("free", 4)


def test_who_is_slower_does_not_have_it(tmp_path: Path) -> None:
    with (
        take_lease(tmp_path, "pack", [], stale=60.0) as first,
        take_lease(tmp_path, "pack", [], stale=60.0) as late,
    ):
        assert first is not None
        assert late is None
        assert first.is_held


@pytest.mark.parametrize("kind", ["link", "loop", "folder"])
def test_what_is_no_file_is_nobodys_after_a_while(tmp_path: Path, kind: str) -> None:
    now, file = [0.0], tmp_path / "pack.1.held"
    if kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(file if kind == "loop" else "/etc/hostname")
    watch = LeaseWatch(4.0, lambda: now[0])
    states = set()
    for _ in range(8):
        states.add(watch.judge("pack", list_lease_files(tmp_path, "pack")).state)
        now[0] += 1.0
    assert states == {"held", "dead"}
