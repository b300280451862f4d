"""Events on their way through a pipe: all of them, but of steps no more than a person can read."""

from __future__ import annotations

import pytest

from headstart.events import EpochDone, Event, RunEnded, RunStarted, StepDone
from headstart.execute import worker
from headstart.execute.worker import throttle_steps
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
