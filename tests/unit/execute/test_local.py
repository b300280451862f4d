"""Worker processes: replaced when they die, kept while they are needed, never begun inside one another."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from fake_gpus import fake_gpus, make_gpus
from headstart import load_study
from headstart.config.runs import Pack, expand_runs
from headstart.errors import HeadstartError
from headstart.events import Event, RunEnded, RunStarted
from headstart.execute import pool
from headstart.execute.local import LocalBackend
from headstart.execute.pool import preload_workers
from headstart.execute.silence import SilenceWatch
from headstart.execute.worker_process import Patience, WorkerProcess, read_patience
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark
from headstart.prepared import PreparedStudy
from headstart.records import Estimate, Range
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study
from tiny import make_tiny_run

StudyFile = Callable[..., Path]
WORDS = {"words": {"method": "bag-of-words"}}


class _Study:
    """Runs that take no time, made ready."""

    def __init__(self, file: Path) -> None:
        study = load_study(file)
        self.runs = expand_runs(study)
        self.prepared: PreparedStudy = prepare_study(study, self.runs)
        self.store = RunStore(Path(study.out))
        self.ended: list[str] = []

    def on(self, event: Event) -> None:
        """Remember what ended."""
        if isinstance(event, RunEnded):
            self.ended.append(event.record.key)


@pytest.fixture
def study(study_file: StudyFile) -> _Study:
    """Four bags of words."""
    return _Study(study_file(arms=WORDS, seeds=[0, 1, 2, 3]))


@pytest.fixture
def backend(study: _Study) -> Iterator[LocalBackend]:
    backend = LocalBackend(study.prepared, study.store)
    yield backend
    backend.stop()


def _children() -> set[int | None]:
    return {child.pid for child in multiprocessing.active_children()}


def test_workers_serve_again_and_end_when_they_are_stopped(study: _Study, backend: LocalBackend) -> None:
    before = _children()
    backend.run_packs([Pack((run,)) for run in study.runs[:2]], Placement(1, 1, ""), study.on)
    first = _children() - before
    backend.run_packs([Pack((run,)) for run in study.runs[2:]], Placement(1, 1, ""), study.on)
    assert _children() - before == first
    assert len(first) == 1
    assert study.ended == [run.key for run in study.runs]
    backend.stop()
    assert _children() == before


def test_a_worker_that_died_while_it_was_idle_costs_no_run(study: _Study, backend: LocalBackend) -> None:
    before = _children()
    backend.run_packs([Pack((study.runs[0],))], Placement(1, 1, ""), study.on)
    (worker,) = (child for child in multiprocessing.active_children() if child.pid not in before)
    worker.kill()
    worker.join()
    backend.run_packs([Pack((study.runs[1],))], Placement(1, 1, ""), study.on)
    assert {record.status for record in study.store.read_records()} == {"done"}
    assert len(study.ended) == 2


def test_without_workers_packs_train_in_this_process(study: _Study, backend: LocalBackend) -> None:
    before = _children()
    backend.run_packs([Pack(study.runs)], Placement(0, 0, ""), study.on)
    assert _children() == before
    assert study.ended == [run.key for run in study.runs]


def test_a_benchmark_that_kills_its_process_gives_nothing_and_the_next_begins_anew(
    study_file: StudyFile,
) -> None:
    """As a choice of placement does: two workers at once, and then one alone."""
    study = _Study(study_file(arms={"tuned": {}, "words": None}))
    backend = LocalBackend(study.prepared, study.store)
    deadly, harmless = StepBenchmark((), 1), StepBenchmark(study.runs, 1)
    try:
        assert backend.time_steps([harmless, deadly]) == []
        (times,) = backend.time_steps([harmless])
        assert 0 < times.seconds < 60
    finally:
        backend.stop()


# Silence


@pytest.fixture
def slow(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[_Study, LocalBackend, list[str]]]:
    """A run of some seconds, a backend that ends workers after four of silence, and what that says."""
    monkeypatch.setenv("HEADSTART_SILENCE_SECONDS", "4")
    training = {"steps": 40, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}
    study = _Study(study_file(arms={"random": {"init": "random"}, "words": None}, seeds=1, training=training))
    said = list[str]()
    backend = LocalBackend(study.prepared, study.store, said.append)
    yield study, backend, said
    backend.stop()


def _find_worker(before: set[int | None]) -> psutil.Process:
    (worker,) = (child for child in multiprocessing.active_children() if child.pid not in before)
    assert worker.pid is not None
    return psutil.Process(worker.pid)


def test_a_stopped_worker_is_spoken_of_and_ended_and_its_pack_trained_again(
    slow: tuple[_Study, LocalBackend, list[str]],
) -> None:
    study, backend, said = slow
    before, stopped = _children(), list[psutil.Process]()

    def on(event: Event) -> None:
        if isinstance(event, RunStarted) and not stopped:
            stopped.append(_find_worker(before))
            stopped[0].suspend()
        study.on(event)

    backend.run_packs([Pack(study.runs[:1])], Placement(1, 1, ""), on)
    key = study.runs[0].key
    assert study.ended == [key]
    pid = stopped[0].pid  # on a busy machine workers that begin may be spoken of too
    (stop,) = (one for one in said if f"worker process {pid} is stopped" in one)
    assert f"it is running {key}; kill -CONT {pid} resumes it" in stop
    assert any(f"worker process {pid} has been silent for 4 s and is being stopped" in one for one in said)
    assert f"a worker process was killed by signal 9; resuming from the saved state: {key}" in said
    assert not stopped[0].is_running()


def test_a_stopped_worker_is_ended_with_the_backend(slow: tuple[_Study, LocalBackend, list[str]]) -> None:
    study, backend, _ = slow
    before = _children()

    def on(event: Event) -> None:
        if isinstance(event, RunStarted):
            _find_worker(before).suspend()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backend.run_packs([Pack(study.runs[:1])], Placement(1, 1, ""), on)
    backend.stop()
    assert _children() == before


class _Silent:
    """Stands for a worker that says nothing."""

    def __init__(self, *, works: bool, is_stopped: bool = False) -> None:
        self.works, self.is_stopped, self.is_killed = works, is_stopped, False
        self.silence, self.quiet, self.is_spoken_of, self.is_quiet_said = 0.0, 0.0, False, False
        self.process, self.pid, self.pack = self, 7, None

    def hear(self, message: object) -> None:
        self.silence = 0.0

    def kill(self) -> None:
        self.is_killed = True


@pytest.mark.parametrize(("works", "is_stopped"), [(True, False), (False, False), (False, True)])
def test_a_silent_worker_is_ended_unless_it_uses_a_processor(works: bool, is_stopped: bool) -> None:
    said, worker = list[str](), _Silent(works=works, is_stopped=is_stopped)
    watch, own = SilenceWatch(Patience(5, 30, 120), said.append), cast(WorkerProcess, worker)
    for seconds in (20, 40, 60, 120):
        worker.silence = seconds
        watch.check(own)
    assert len(said) == (1 if works else 2)
    assert ("is stopped for 40 s" if is_stopped else "has been silent for 40 s") in said[0]
    assert worker.is_killed is not works


def test_a_worker_that_lives_and_tells_nothing_is_spoken_of_after_thrice_what_was_expected() -> None:
    said, worker = list[str](), _Silent(works=True)
    worker.pack = Pack((make_tiny_run(0),), Estimate(seconds=Range(low=200, high=400)))  # type: ignore[assignment]
    for seconds in (700, 1199, 1200, 1300):
        worker.quiet = seconds
        SilenceWatch(Patience(5, 30, 120), said.append).check(cast(WorkerProcess, worker))
    assert len(said) == 1
    assert "worker process 7 is alive but has reported nothing for 20 min" in said[0]


@pytest.mark.parametrize("word", ["0", "-1", "soon", "nan", "inf"])
def test_a_silence_that_is_no_number_of_seconds_is_refused(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_SILENCE_SECONDS", word)
    with pytest.raises(HeadstartError, match="HEADSTART_SILENCE_SECONDS"):
        read_patience()


# A script without a guard


def test_a_study_is_not_started_while_a_worker_imports_the_main_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(HeadstartError) as caught:
        preload_workers()
    assert 'if __name__ == "__main__":' in str(caught.value)


@pytest.mark.long
def test_a_script_without_a_guard_is_told_of_it_and_trains_once(
    study_file: StudyFile, tmp_path: Path
) -> None:
    """The worker imports the script, meets the call again, and dies of the refusal."""
    file = study_file(arms=WORDS, workers=1)
    script = tmp_path / "script.py"
    script.write_text(f"import headstart\nheadstart.run(headstart.load_study({str(file)!r}))\n", "utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "a study was started while a worker process was importing the main script" in done.stderr
    (record,) = RunStore(tmp_path / "out").read_records()
    assert (record.status, record.seed) == ("failed", 0)


# GPUs


def _hold(monkeypatch: pytest.MonkeyPatch, study: _Study, gpus: int, workers: int) -> LocalBackend:
    """A backend that sees so many GPUs and has so many workers, which are no processes."""
    fake_gpus(monkeypatch, make_gpus(gpus))
    monkeypatch.setattr(pool, "WorkerProcess", _Idle)
    prepared = replace(study.prepared, study=study.prepared.study.model_copy(update={"device": "auto"}))
    backend = LocalBackend(prepared, study.store)
    backend._resize(workers)
    return backend


class _Idle:
    """Stands for a worker; remembers its GPU."""

    def __init__(self, context: Any, study: Any, store: Any, gpu: int | None, patience: Any) -> None:
        self.gpu, self.pack, self.process = gpu, None, self
        self.is_up, self.exitcode = True, -9

    def is_alive(self) -> bool:
        return self.is_up

    def await_end(self) -> int:
        """It has ended."""
        return -9

    def ask_to_end(self) -> None:
        """It has ended."""

    def stop(self) -> None:
        """It has ended."""


def _list_gpus(backend: LocalBackend) -> list[int | None]:
    return [worker.gpu for worker in backend._workers]


@pytest.mark.parametrize(
    ("gpus", "workers", "expected"),
    [(0, 2, [None, None]), (1, 3, [0, 0, 0]), (2, 2, [0, 1]), (2, 5, [0, 1, 0, 1, 0]), (4, 2, [0, 1])],
)
def test_workers_take_gpus_in_turn(
    study: _Study, monkeypatch: pytest.MonkeyPatch, gpus: int, workers: int, expected: list[int | None]
) -> None:
    assert _list_gpus(_hold(monkeypatch, study, gpus, workers)) == expected


def test_a_worker_that_died_leaves_its_gpu_to_the_next(
    study: _Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = _hold(monkeypatch, study, gpus=3, workers=3)
    backend._replace(backend._workers[1], study.on)
    assert _list_gpus(backend) == [0, 1, 2]
    backend._workers[0].is_up = False  # type: ignore[attr-defined]
    backend._resize(3)
    assert _list_gpus(backend) == [1, 2, 0]


_INTERRUPTED_AT_ITS_START = """
import os, signal, time
import psutil
from headstart.execute.pool import preload_workers
signal.signal(signal.SIGINT, lambda *_: None)
preload_workers()
while not any("torch" in file.path for child in psutil.Process().children() for file in child.memory_maps()):
    time.sleep(0.01)  # before Python has begun, the signal ends it without a word
os.killpg(0, signal.SIGINT)
"""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks what a process has mapped")
def test_ctrl_c_while_the_server_of_workers_imports_shows_no_traceback() -> None:
    command = [sys.executable, "-c", _INTERRUPTED_AT_ITS_START]
    ended = subprocess.run(
        command, capture_output=True, text=True, start_new_session=True, timeout=300, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
