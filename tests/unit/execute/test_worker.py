"""Jobs out of a pipe, each on its GPU; and events into it: of steps no more than a person can read."""

from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path
from typing import Any

import pytest

from headstart import cuda
from headstart.config.runs import Pack
from headstart.events import EpochDone, Event, RunEnded, RunStarted, StepDone
from headstart.execute import worker
from headstart.execute.worker import JobDone, PackJob, serve_jobs, throttle_steps
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.records import EpochPoint, RunRecord
from tiny import make_tiny_run

RUN, OTHER = make_tiny_run(0), make_tiny_run(1)
POINT = EpochPoint(epoch=1, step=1, train_loss=0.5, learning_rate=1e-5, valid={}, seconds=1.0)
RECORD = RunRecord(arm="arm", size="all", seed=0, status="failed", train_examples=8)


def _step(step: int, run: object = RUN, total: int = 10) -> StepDone:
    return StepDone(run, step, total, 0.5, 1e-5)  # type: ignore[arg-type]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_steps_are_told_of_every_fifth_of_a_second_and_the_last(clock: list[float]) -> None:
    received: list[Event] = []
    on_event = throttle_steps(received.append)
    for step in range(1, 11):
        clock[0] += 0.09
        on_event(_step(step))
    assert worker._STEP_INTERVAL == 0.2
    assert [event.step for event in received if isinstance(event, StepDone)] == [1, 4, 7, 10]


def test_each_run_of_a_pack_is_told_of(clock: list[float]) -> None:
    received: list[Event] = []
    on_event = throttle_steps(received.append)
    for step in (1, 2):
        for run in (RUN, OTHER):
            on_event(_step(step, run))
    assert received == [_step(1, RUN), _step(1, OTHER)]


def test_all_other_events_pass_as_they_are(clock: list[float]) -> None:
    received: list[Event] = []
    on_event = throttle_steps(received.append)
    events: list[Event] = [RunStarted(RUN), EpochDone(RUN, POINT, POINT), RunEnded(RECORD)] * 2
    for event in events:
        on_event(event)
    assert received == events


# Jobs


def test_a_pipe_that_was_closed_with_a_heartbeat_in_it_is_an_end() -> None:
    """The other end is reset then, not at its end."""
    here, there = multiprocessing.Pipe()
    there.send(worker.Heartbeat())
    here.close()
    assert list(worker._receive_tasks(there)) == []


class _Pipe:
    """Gives jobs, then closes; keeps the answers."""

    def __init__(self, *jobs: object) -> None:
        self.jobs, self.sent = list(jobs), list[object]()

    def recv(self) -> object:
        if not self.jobs:
            raise EOFError
        return self.jobs.pop(0)

    def send(self, message: object) -> None:
        self.sent.append(message)


def test_each_job_is_done_on_its_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[str] = []

    def tell(name: str, result: Any = None) -> Any:
        def told(*arguments: Any) -> Any:
            done.append(f"{name} {arguments[0]}" if name == "use" else name)
            return result

        return told

    times = StepTimes(1.0, 1)
    monkeypatch.setattr(cuda, "use_gpu", tell("use"))
    monkeypatch.setattr(worker, "train_pack", tell("train"))
    monkeypatch.setattr(worker, "run_step_benchmark", tell("time", times))
    monkeypatch.setattr(worker, "keep_freed_memory", lambda: False)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    pipe: Any = _Pipe(
        StepBenchmark((RUN,), 0, gpu=1), PackJob(Pack((RUN,)), 0, 2, gpu=1), PackJob(Pack((RUN,)), 0, 2)
    )
    serve_jobs(pipe, None, tmp_path)  # type: ignore[arg-type]
    assert done == ["use 1", "time", "use 1", "train", "train"]
    assert pipe.sent == [times, JobDone(), JobDone()]


@pytest.mark.parametrize("beat", [None, 1.0])
def test_a_worker_that_may_begin_no_thread_says_so_and_ends(
    beat: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ulimit -u`: in place of a traceback, and of runs that fail for it."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    ours, theirs = multiprocessing.Pipe()
    if beat is None:
        monkeypatch.setattr(worker, "end_with_parent", refuse)
    else:
        monkeypatch.setattr("threading.Thread.start", refuse)
    before = signal.getsignal(signal.SIGINT)
    try:
        serve_jobs(theirs, None, None, beat)  # type: ignore[arg-type]
    finally:
        signal.signal(signal.SIGINT, before)
    answer = ours.recv()
    assert isinstance(answer, JobDone)
    assert str(answer.error).startswith("a thread of a worker process cannot start: too many processes or")
