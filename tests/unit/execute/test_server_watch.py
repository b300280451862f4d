"""The server of workers goes on by itself where somebody stops it while a worker begins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from headstart import load_study
from headstart.config.runs import Pack, expand_runs
from headstart.events import RunEnded
from headstart.execute import server_watch
from headstart.execute.local import LocalBackend
from headstart.execute.pool import preload_workers
from headstart.execute.server_watch import keep_server_going
from headstart.planning.placement import Placement
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    """A child that does nothing."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield psutil.Process(process.pid)
        process.kill()


def find_server() -> psutil.Process:
    """What workers are forked from."""
    (server,) = (
        child
        for child in psutil.Process().children()
        if "multiprocessing.forkserver" in " ".join(child.cmdline())
    )
    return server


def test_what_is_stopped_meanwhile_goes_on(sleeper: psutil.Process) -> None:
    with keep_server_going(0.01):
        sleeper.suspend()
        assert wait_for_status(sleeper, psutil.STATUS_SLEEPING)
    sleeper.suspend()
    assert wait_for_status(sleeper, psutil.STATUS_STOPPED)


def wait_for_status(process: psutil.Process, status: str) -> bool:
    """Whether it has that status before long."""
    for _ in range(1000):
        if process.status() == status:
            return True
        with pytest.raises(psutil.TimeoutExpired):
            process.wait(0.01)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="no server there")
def test_a_study_ends_whose_server_is_stopped_while_a_worker_begins(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_SILENCE_SECONDS", "2")
    study = load_study(study_file(arms={"words": {"method": "bag-of-words"}}, seeds=1))
    runs = expand_runs(study)
    preload_workers()
    looked, stopped = server_watch._continue_stopped, list[int]()

    def look_then_stop(before: set[int]) -> None:
        looked(before)
        if not stopped:  # just before the worker is asked for
            find_server().suspend()
            stopped.append(find_server().pid)

    monkeypatch.setattr(server_watch, "_continue_stopped", look_then_stop)
    ended: list[object] = []
    backend = LocalBackend(prepare_study(study, runs), RunStore(Path(study.out)))
    try:
        backend.run_packs([Pack(runs)], Placement(1, 1, ""), ended.append)
    finally:
        backend.stop()
    assert stopped
    assert any(isinstance(event, RunEnded) for event in ended)
