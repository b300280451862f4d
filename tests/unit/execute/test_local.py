"""Worker processes: replaced when they die, kept while they are needed, never begun inside one another."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fake_gpus import fake_gpus, make_gpus
from headstart import load_study
from headstart.config.runs import Pack, expand_runs
from headstart.errors import HeadstartError
from headstart.events import Event, RunEnded
from headstart.execute import local
from headstart.execute.local import LocalBackend, preload_workers
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark
from headstart.prepared import PreparedStudy
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study

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


# A script without a guard


def test_a_study_is_not_started_while_a_worker_imports_the_main_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(HeadstartError) as caught:
        preload_workers()
    assert 'if __name__ == "__main__":' in str(caught.value)


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
    monkeypatch.setattr(local, "_Worker", _Idle)
    prepared = replace(study.prepared, study=study.prepared.study.model_copy(update={"device": "auto"}))
    backend = LocalBackend(prepared, study.store)
    backend._resize(workers)
    return backend


class _Idle:
    """Stands for a worker; remembers its GPU."""

    def __init__(self, context: Any, study: Any, store: Any, gpu: int | None) -> None:
        self.gpu, self.pack, self.process = gpu, None, self
        self.is_up, self.exitcode = True, -9

    def is_alive(self) -> bool:
        return self.is_up

    def join(self) -> None:
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
