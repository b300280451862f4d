"""What a holder tells of its runs arrives as it was; what is no event of theirs is passed over."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from fuzzing import count_descriptors, limit_seconds
from headstart.events import EpochDone, Event, RunStarted, StepDone
from headstart.execute.pack_events import EventReader, EventWriter
from headstart.records import EpochPoint
from tiny import make_tiny_run

RUNS = (make_tiny_run(0), make_tiny_run(1))


def make_point(epoch: int) -> EpochPoint:
    scores = {"accuracy": 0.5, "loss": 1.0}
    return EpochPoint(epoch=epoch, step=epoch, train_loss=1.0, learning_rate=0.1, valid=scores, seconds=1.0)


def test_events_arrive_in_order_and_of_steps_the_last(tmp_path: Path) -> None:
    now = [0.0]
    writer = EventWriter(tmp_path / "told.1.jsonl", RUNS, lambda: now[0])
    reader = EventReader(tmp_path / "told.1.jsonl", RUNS, "accuracy")
    writer.on_event(RunStarted(RUNS[1]))
    assert list(reader.read()) == [RunStarted(RUNS[1])]
    told: list[Event] = [StepDone(RUNS[1], step, 9, math.nan, 0.1) for step in (1, 2, 3)]
    epoch = EpochDone(RUNS[1], make_point(1), make_point(1))
    for event in (*told, epoch):
        writer.on_event(event)
    assert list(reader.read()) == [], "it is not yet time"
    now[0] = 10.0
    writer.on_event(StepDone(RUNS[1], 4, 9, 0.5, 0.1))
    assert list(reader.read()) == [epoch, StepDone(RUNS[1], 4, 9, 0.5, 0.1)]
    assert list(reader.read()) == []


def test_what_is_no_event_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "told.1.jsonl"
    step = '{"run":0,"kind":"step","step":%d,"total":9,"loss":"NaN","learning_rate":0.1}'
    lines = ["{", "[]", '{"run":9,"kind":"started"}', '{"run":-1,"kind":"started"}', "x" * 100_000]
    lines += [step % 10, step % 2, '{"run":0,"kind":"epoch","epoch":{},"best":{}}', "\x1b[2J"]
    file.write_text("\n".join(lines) + "\n" + step % 3, encoding="utf-8")
    first, second = EventReader(file, RUNS, "accuracy").read()
    assert first == RunStarted(RUNS[0]), "told before all else, though nobody wrote it"
    assert isinstance(second, StepDone)
    assert second.step == 2, "one was beyond its total, and one is not yet written to its end"


def test_a_folder_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    EventWriter(tmp_path / "gone/told.1.jsonl", RUNS).on_event(RunStarted(RUNS[0]))
    assert list(EventReader(tmp_path / "gone/told.1.jsonl", RUNS, "accuracy").read()) == []
    assert not (tmp_path / "gone").exists()


def test_a_link_in_the_place_of_the_file_is_neither_followed_nor_written(tmp_path: Path) -> None:
    theirs, file = tmp_path / "theirs", tmp_path / "told.1.jsonl"
    theirs.write_text('{"run":0,"kind":"started"}\n', encoding="utf-8")
    file.symlink_to(theirs)
    EventWriter(file, RUNS).on_event(RunStarted(RUNS[0]))
    assert theirs.read_text("utf-8").count("\n") == 1
    assert list(EventReader(file, RUNS, "accuracy").read()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_or_a_folder_in_the_place_of_the_file_is_not_waited_for_and_closed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    before = count_descriptors()
    for name in ("pipe", "folder"):
        with limit_seconds(5):
            EventWriter(tmp_path / name, RUNS).on_event(RunStarted(RUNS[0]))
            assert list(EventReader(tmp_path / name, RUNS, "accuracy").read()) == []
    assert count_descriptors() == before
