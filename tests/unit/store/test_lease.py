"""A lease has one holder; it ends with its block or its process, and then one takes it over."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from headstart.errors import OutputError
from headstart.store import holders, lease
from headstart.store.fences import Fence, LeaseLostError
from headstart.store.holders import Holder, describe_this_process, read_start
from headstart.store.lease import hold_lease
from headstart.store.lease_files import LeaseFile, format_holder, list_lease_files, make_lease_file

ELSEWHERE = {"machine": "another", "host": "far", "process": 4}


def hold(folder: Path, **options: object) -> ExitStack:
    """The lease, until the stack is closed; `stack.fence` is its fence."""
    stack = ExitStack()
    held = hold_lease(folder, "a", thing=folder, fix="wait", **options)  # type: ignore[arg-type]
    stack.fence = stack.enter_context(held)  # type: ignore[attr-defined]
    return stack


def write_holder(folder: Path, **changes: object) -> Holder:
    """A lease that such a process holds."""
    holder = describe_this_process().model_copy(update=changes)
    (folder / "a.7.held").write_bytes(format_holder(holder))
    return holder


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_who_comes_second_is_told_who_holds_it_and_changes_nothing(tmp_path: Path) -> None:
    with hold(tmp_path):
        before = list_names(tmp_path)
        with pytest.raises(OutputError) as caught:
            hold(tmp_path)
        assert list_names(tmp_path) == before == ["a.1.held"]
    assert str(caught.value).startswith(f"{tmp_path}: in use by this process (process {os.getpid()} on host")
    assert caught.value.fix == "let that call end first, or name another folder: out=FOLDER"


def test_another_process_is_called_another_headstart(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        write_holder(tmp_path, process=child.pid, started=read_start(child.pid))
        with pytest.raises(OutputError, match=f"in use by another headstart: process {child.pid}") as caught:
            hold(tmp_path)
    finally:
        child.communicate(b"\n")
    assert caught.value.fix == "wait"


def test_it_is_free_again_however_the_block_ends(tmp_path: Path) -> None:
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), hold(tmp_path):
            raise error
    with hold(tmp_path):
        assert list_names(tmp_path) == ["a.4.held"]
    assert list_names(tmp_path) == ["a.4.free"]


def test_other_leases_of_the_folder_are_others(tmp_path: Path) -> None:
    with hold(tmp_path), hold_lease(tmp_path, "b", thing=tmp_path, fix=""):
        assert list_names(tmp_path) == ["a.1.held", "b.1.held"]


def test_the_lease_of_a_killed_process_is_taken_at_once(tmp_path: Path) -> None:
    script = (
        "import os, signal\nfrom pathlib import Path\nfrom headstart.store.lease import hold_lease\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "with hold_lease(folder, 'a', thing=folder, fix=''): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert list_names(tmp_path) == ["a.1.held"]
    with hold(tmp_path):
        assert list_names(tmp_path) == ["a.2.held"]


def test_who_waits_says_so_and_goes_on_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    first = hold(tmp_path)
    monkeypatch.setattr(time, "sleep", lambda _: first.close())
    with hold(tmp_path, wait=True, log=told.append):
        assert list_names(tmp_path) == ["a.2.held"]
    (sentence,) = told
    assert sentence == f"waiting for another call in this process, which uses {tmp_path}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Lets time pass by sleeping alone, and something happen whenever it does."""
    now = [0.0]

    def start(on_sleep: Callable[[], None]) -> None:
        def sleep(seconds: float) -> None:
            now[0] += seconds
            on_sleep()

        monkeypatch.setattr(time, "sleep", sleep)
        monkeypatch.setattr(time, "monotonic", lambda: now[0])

    return start


def test_elsewhere_it_is_held_while_its_count_changes(
    tmp_path: Path, clock: Callable[[Callable[[], None]], None]
) -> None:
    holder, beats = write_holder(tmp_path, **ELSEWHERE), iter(range(100))

    def beat() -> None:
        count = next(beats) // 6
        (tmp_path / "a.7.held").write_bytes(format_holder(holder)[:-5] + f"{count:04d}\n".encode())

    clock(beat)
    with pytest.raises(OutputError, match="process 4 on host far"):
        hold(tmp_path)
    assert list_names(tmp_path) == ["a.7.held"]


@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_elsewhere_it_has_ended_when_nothing_changes_for_long(
    tmp_path: Path, clock: Callable[[Callable[[], None]], None], content: bytes | None
) -> None:
    slept: list[None] = []
    write_holder(tmp_path, **ELSEWHERE)
    if content is not None:  # as a machine leaves it that lost its power
        (tmp_path / "a.7.held").write_bytes(content)
    clock(lambda: slept.append(None))
    told: list[str] = []
    with hold(tmp_path, log=told.append):
        assert list_names(tmp_path) == ["a.8.held"]
    assert len(slept) * lease.POLL_SECONDS > lease.STALE_SECONDS
    assert len(told) == 1
    assert "checking whether that is still running" in told[0]


def test_of_many_who_take_it_over_at_once_one_has_it(tmp_path: Path) -> None:
    """Again and again: each of eight tries until it had it; at no time do two."""
    write_holder(tmp_path, started=-1.0)
    inside, most, had = [0], [0], [0]
    lock = threading.Lock()

    def take() -> None:
        while True:
            try:
                with hold(tmp_path):
                    with lock:
                        inside[0] += 1
                        most[0] = max(most[0], inside[0])
                        had[0] += 1
                    with lock:
                        inside[0] -= 1
                return
            except OutputError:
                continue

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert (most, had) == ([1], [8])
    assert len(list_names(tmp_path)) == 1


def test_who_read_an_old_state_does_not_take_what_another_took_since(tmp_path: Path) -> None:
    """Between reading that the holder is gone, and making the next file."""
    write_holder(tmp_path, started=-1.0)
    judged = list_lease_files(tmp_path, "a")
    with hold(tmp_path):
        pass  # taken as number 8, and given back
    late = Fence(tmp_path / "a.8.held", describe_this_process())
    with hold(tmp_path):
        assert make_lease_file(late.file, late.holder)
        assert not lease._is_alone(late, judged)
        assert list_names(tmp_path) == ["a.9.held"]


@pytest.mark.parametrize("name", ["EPERM", "ENOTSUP", "EMLINK", "ENOSYS"])
def test_where_links_are_not_possible_files_are_made_exclusively(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(getattr(errno, name), "no links here")

    monkeypatch.setattr(os, "link", refuse)
    with hold(tmp_path):
        assert list_names(tmp_path) == ["a.1.held"]
        with pytest.raises(OutputError, match="in use"):
            hold(tmp_path)


def test_where_no_thread_can_begin_the_lease_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OutputError, match="the thread that renews the lock cannot start: too many"):
            hold(tmp_path)
    assert list_names(tmp_path) == ["a.1.free"]


def test_the_count_goes_on_while_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.01)
    with hold(tmp_path) as stack:
        file = tmp_path / "a.1.held"
        first = file.read_bytes()
        while file.read_bytes() == first:
            threading.Event().wait(0.01)
        assert len(file.read_bytes()) == len(first)
        assert stack.fence.is_held  # type: ignore[attr-defined]


def test_a_fence_says_when_another_has_it(tmp_path: Path) -> None:
    with hold(tmp_path) as stack:
        fence: Fence = stack.fence  # type: ignore[attr-defined]
        fence.check()
        (tmp_path / "a.2.held").write_bytes(format_holder(describe_this_process()))
        with pytest.raises(LeaseLostError, match="nothing more is written"):
            fence.check()
    assert list_names(tmp_path) == ["a.1.held", "a.2.held"], "what another holds is not given back"


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        hold(tmp_path / "file" / "below")


def test_a_lease_that_this_process_could_not_give_back_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where an interrupt came while it was taken, or the disk refused."""

    def interrupt(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lease, "_is_alone", interrupt)
        with pytest.raises(KeyboardInterrupt):
            hold(tmp_path)
    assert list_names(tmp_path) == ["a.1.free"]
    with monkeypatch.context() as patch:
        patch.setattr(lease, "_release", lambda *_: None)
        hold(tmp_path).close()
    assert list_names(tmp_path) == ["a.2.held"]
    with hold(tmp_path):
        assert list_names(tmp_path) == ["a.3.held"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_that_leaves_the_block_ends_nothing(tmp_path: Path) -> None:
    with hold(tmp_path) as held:
        child = os.fork()
        if not child:
            held.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert list_names(tmp_path) == ["a.1.held"]


def test_a_stopped_holder_has_it_and_that_is_said(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        os.kill(child.pid, signal.SIGSTOP)
        while psutil.Process(child.pid).status() != psutil.STATUS_STOPPED:
            os.sched_yield()
        write_holder(tmp_path, process=child.pid, started=read_start(child.pid))
        with pytest.raises(OutputError, match=f"which is stopped \\(kill -CONT {child.pid} resumes it"):
            hold(tmp_path)
    finally:
        child.kill()
        child.communicate()


def test_of_a_hidden_process_it_is_watched_whether_it_is_at_work(
    tmp_path: Path, clock: Callable[[Callable[[], None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where /proc shows no processes of other users."""
    monkeypatch.setattr(holders, "_is_of_another_user", lambda process: process == 4)
    told: list[str] = []
    write_holder(tmp_path, process=4, started=-1.0)
    monkeypatch.setattr(holders, "read_start", lambda process: None if process == 4 else 1.0)
    clock(lambda: None)
    with hold(tmp_path, log=told.append):
        assert "checking whether that is still running" in told[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_what_lies_in_the_place_of_its_file_is_not_waited_for(
    tmp_path: Path, clock: Callable[[Callable[[], None]], None]
) -> None:
    os.mkfifo(tmp_path / "a.3.held")
    clock(lambda: None)
    with hold(tmp_path):
        assert list_names(tmp_path) == ["a.4.held"]


def test_a_disk_that_fails_for_a_while_does_not_stop_the_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.005)
    fails = iter([True, True, True])
    read = LeaseFile.read

    def fail(file: LeaseFile) -> object:
        if next(fails, False):
            raise OSError(errno.EIO, "no disk")
        return read(file)

    with hold(tmp_path):
        monkeypatch.setattr(LeaseFile, "read", fail)
        before, deadline = (tmp_path / "a.1.held").read_bytes(), time.monotonic() + 60
        while (tmp_path / "a.1.held").read_bytes() == before:
            assert time.monotonic() < deadline


def test_a_fence_tells_a_folder_that_is_gone_from_one_that_was_taken(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "own"
    with hold(folder) as held:
        (tmp_path / "out").rename(tmp_path / "elsewhere")
        with pytest.raises(LeaseLostError, match="was moved or removed while it was in use"):
            held.fence.check()  # type: ignore[attr-defined]
