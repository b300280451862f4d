"""Workers that are killed, stopped or alone: the study ends as one that was trained by a single process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from hashed import hash_results

StudyFile = Callable[..., Path]
ENV = {"OMP_NUM_THREADS": "1", "HEADSTART_STALE_SECONDS": "3", "HEADSTART_STATE_SECONDS": "0"}
TRAINING = {"epochs": 40, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}
ARMS = {"pretrained": {}, "random": {"init": "random"}, "words": None}


class _Site:
    """A folder, and what was started there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        self.queue = self.out / ".headstart/queue"
        self.started: list[subprocess.Popen[str]] = []

    def start(self, name: str, *words: object, **env: str) -> subprocess.Popen[str]:
        """A `headstart` of its own, whose words go to the file `name`."""
        command = [sys.executable, "-m", "headstart", *map(str, words)]
        with (self.folder / name).open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                command, stdout=stream, stderr=stream, text=True, env=os.environ | ENV | env
            )
        self.started.append(process)
        return process

    def work(self, name: str, **env: str) -> subprocess.Popen[str]:
        """A worker of one process."""
        return self.start(name, "work", self.out, "--workers", 1, "--wait", 200, **env)

    def read(self, name: str) -> str:
        """What one that was started has said."""
        return (self.folder / name).read_text("utf-8")

    def wait(self, process: subprocess.Popen[str], name: str, code: int = 0) -> str:
        """Wait until it ends as it is to; gives what it said."""
        assert process.wait(timeout=400) == code, self.read(name)
        return self.read(name)

    def await_epochs(self, process: subprocess.Popen[str], name: str) -> None:
        """Wait until whoever has a pack has saved a state of it."""
        until = time.monotonic() + 300
        while not any(self.out.glob("runs/*/*/*/checkpoint/*")):
            assert process.poll() is None, self.read(name)
            assert time.monotonic() < until, self.read(name)
            time.sleep(0.05)

    def run_alone(self, file: Path) -> dict[str, str]:
        """The hashes of what one process gives."""
        self.wait(self.start("alone.txt", "run", file, f"out={self.folder / 'alone'}"), "alone.txt")
        return hash_results(self.folder / "alone")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[_Site]:
    made = _Site(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait(timeout=60)


def test_a_worker_is_killed_and_another_resumes_what_it_had(study_file: StudyFile, site: _Site) -> None:
    """In packs of two; with the coordinator killed as well, and started again."""
    file = study_file(arms=ARMS, seeds=[0, 1], workers=1, pack=2, training=TRAINING)
    first = site.start("run-1.txt", "run", file, "--no-local-workers")
    lost = site.work("work-1.txt")
    site.await_epochs(lost, "work-1.txt")
    first.kill()
    lost.kill()
    assert (first.wait(timeout=60), lost.wait(timeout=60)) == (-9, -9)
    second = site.start("run-2.txt", "run", file, "--no-local-workers")
    worker = site.work("work-2.txt")
    said = site.wait(second, "run-2.txt")
    assert "4 runs wait for workers" in said
    taken = site.wait(worker, "work-2.txt")
    assert "took " in taken
    assert "trained 2 packs (4 runs)" in taken
    assert hash_results(site.out) == site.run_alone(file)


def test_a_stopped_worker_writes_nothing_of_a_pack_that_another_took(
    study_file: StudyFile, site: _Site
) -> None:
    file = study_file(arms=ARMS, seeds=[0], workers=1, pack=1, training=TRAINING)
    coordinator = site.start("run.txt", "run", file, "--no-local-workers")
    stopped = site.work("work-1.txt")
    site.await_epochs(stopped, "work-1.txt")
    family = [psutil.Process(stopped.pid), *psutil.Process(stopped.pid).children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGSTOP)
    worker = site.work("work-2.txt")
    said = site.wait(coordinator, "run.txt")
    site.wait(worker, "work-2.txt")
    before = hash_results(site.out)
    for process in reversed(family):
        process.send_signal(signal.SIGCONT)
    site.wait(stopped, "work-1.txt")
    assert hash_results(site.out) == before == site.run_alone(file)
    assert "ended without giving back" in said or "which 1 lost" in site.read("work-2.txt")
    assert "has taken over" in site.read("work-1.txt")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_end_gives_its_pack_back(
    study_file: StudyFile, site: _Site, number: signal.Signals
) -> None:
    """As Slurm does at a time limit; nothing is lost, and nobody waits for a lease to become stale."""
    file = study_file(arms=ARMS, seeds=[0], workers=1, pack=2, training=TRAINING)
    stale = {"HEADSTART_STALE_SECONDS": "100000"}
    coordinator = site.start("run.txt", "run", file, "--no-local-workers", **stale)
    ended = site.work("work-1.txt", **stale)
    site.await_epochs(ended, "work-1.txt")
    ended.send_signal(number)
    said = site.wait(ended, "work-1.txt", 128 + number)
    assert "packs in hand are given back, with what was learnt" in said
    assert [path.suffix for path in site.queue.glob("leases/*/pack.*")] == [".free"]
    assert list(site.out.glob("runs/*/*/*/checkpoint/*"))
    site.wait(site.work("work-2.txt", **stale), "work-2.txt")
    site.wait(coordinator, "run.txt")
    assert "lost" not in site.read("work-2.txt")
    assert hash_results(site.out) == site.run_alone(file)


def test_a_tuned_study_has_its_two_phases(study_file: StudyFile, site: _Site) -> None:
    arms = {
        "pretrained": {"tune": {"learning_rate": [1e-3, 3e-3], "seeds": [100]}},
        "random": {"init": "random", "tune": {"learning_rate": [1e-3, 3e-3], "seeds": [100]}},
        "words": None,
    }
    file = study_file(arms=arms, seeds=[0], workers=1, pack=1, training=TRAINING | {"epochs": 2})
    coordinator = site.start("run.txt", "run", file, "--no-local-workers")
    workers = [site.work(f"work-{i}.txt") for i in range(2)]
    site.wait(coordinator, "run.txt")
    for i, worker in enumerate(workers):
        assert "the study has ended" in site.wait(worker, f"work-{i}.txt")
    assert hash_results(site.out) == site.run_alone(file)


def test_workers_end_when_nothing_is_left_and_nobody_coordinates(study_file: StudyFile, site: _Site) -> None:
    file = study_file(arms=ARMS, seeds=[0], workers=1, pack=1, training=TRAINING)
    coordinator = site.start("run.txt", "run", file, "--no-local-workers")
    worker = site.work("work.txt")
    site.await_epochs(worker, "work.txt")
    coordinator.kill()
    assert coordinator.wait(timeout=60) == -9
    assert "no pack is left" in site.wait(worker, "work.txt")
    said = site.wait(site.start("run-2.txt", "run", file, "--no-local-workers"), "run-2.txt")
    assert "wait for workers" not in said
    assert hash_results(site.out) == site.run_alone(file)


def test_a_worker_whose_data_differ_is_refused(study_file: StudyFile, site: _Site) -> None:
    file = study_file(arms={"words": {"method": "bag-of-words"}}, seeds=[0])
    coordinator = site.start("run.txt", "run", file, "--no-local-workers")
    until = time.monotonic() + 200
    while not (site.queue / "queue.json").exists():
        assert coordinator.poll() is None, site.read("run.txt")
        assert time.monotonic() < until
        time.sleep(0.05)
    data = site.folder / "reviews/test.jsonl"
    right = data.read_bytes()
    data.write_bytes(right.replace(b"film", b"flim"))
    said = site.wait(site.work("work-1.txt"), "work-1.txt", 2)
    assert "the data on this machine differ from the coordinator's" in said
    data.write_bytes(right)
    site.wait(site.work("work-2.txt"), "work-2.txt")
    site.wait(coordinator, "run.txt")
