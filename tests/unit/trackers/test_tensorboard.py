"""What TensorBoard's own reader finds in a run's file."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from headstart.cli.bugs import escape_tracebacks
from headstart.config.runs import Run, expand_runs
from headstart.events import EpochDone, RunEnded, RunStarted, StepDone
from headstart.records import EpochPoint, Sample
from headstart.trackers.base import Tracker
from headstart.trackers.tensorboard import TensorBoardTracker
from small_studies import make_record, make_study


def make_run(out: Path) -> Run:
    return expand_runs(make_study(out))[0]


def make_point(epoch: int, valid: float, test: float | None = None) -> EpochPoint:
    return EpochPoint(
        epoch=epoch,
        step=10 * epoch,
        train_loss=1.0,
        learning_rate=0.1,
        valid={"accuracy": valid, "loss": 1 - valid},
        test=None if test is None else {"accuracy": test},
        seconds=1.0,
    )


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def read_curve(folder: Path, tag: str) -> list[tuple[int, Any]]:
    return [(event.step, pytest.approx(event.value)) for event in read(folder).Scalars(tag)]


def test_steps_have_their_loss_and_rate(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with TensorBoardTracker(tmp_path, "accuracy") as tracker:
        for step, loss in enumerate((0.7, 0.5), start=1):
            tracker.on_event(StepDone(run, step, 2, loss, 1e-3 / step))
    assert read_curve(tmp_path, "train/loss") == [(1, 0.7), (2, 0.5)]
    assert read_curve(tmp_path, "train/lr") == [(1, 1e-3), (2, 5e-4)]


def test_epochs_have_every_metric_and_those_of_the_best_so_far(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    points = [make_point(1, 0.5, 0.4), make_point(2, 0.8, 0.6), make_point(3, 0.7, 0.9)]
    with TensorBoardTracker(tmp_path, "accuracy") as tracker:
        for point, best in zip(points, (points[0], points[1], points[1]), strict=True):
            tracker.on_event(EpochDone(run, point, best))
    assert read_curve(tmp_path, "valid/accuracy") == [(1, 0.5), (2, 0.8), (3, 0.7)]
    assert read_curve(tmp_path, "valid/loss") == [(1, 0.5), (2, 0.2), (3, 0.3)]
    assert read_curve(tmp_path, "test/accuracy") == [(1, 0.4), (2, 0.6), (3, 0.9)]
    assert read_curve(tmp_path, "best/valid_accuracy") == [(1, 0.5), (2, 0.8), (3, 0.8)]
    # The test never chooses: 0.9 came at an epoch that was not the best on valid.
    assert read_curve(tmp_path, "best/test_accuracy") == [(1, 0.4), (2, 0.6), (3, 0.6)]


def test_without_test_curves_there_are_none(tmp_path: Path) -> None:
    with TensorBoardTracker(tmp_path, "accuracy") as tracker:
        tracker.on_event(EpochDone(make_run(tmp_path), make_point(1, 0.5), make_point(1, 0.5)))
    tags = read(tmp_path).Tags()["scalars"]
    assert sorted(tags) == ["best/valid_accuracy", "valid/accuracy", "valid/loss"]


SAMPLE = Sample(
    prompt="two | three\nhow many?",
    before="<b>one</b>",
    after="five",
    stopped_before=False,
    stopped_after=True,
)


def test_samples_of_a_run_that_ended_are_a_table_that_holds_its_cells(tmp_path: Path) -> None:
    with TensorBoardTracker(tmp_path, "loss") as tracker:
        tracker.on_event(RunEnded(make_record(samples=(SAMPLE,))))
    (event,) = read(tmp_path).Tensors("samples/0")
    assert event.tensor_proto.string_val[0].decode().splitlines() == [
        r"**two \| three how many?**",
        "",
        "| | answer | stopped |",
        "|-|-|-|",
        "| before | &lt;b&gt;one&lt;/b&gt; | no |",
        "| after | five | yes |",
    ]


def test_start_brings_nothing_to_show(tmp_path: Path) -> None:
    with TensorBoardTracker(tmp_path, "accuracy") as tracker:
        tracker.on_event(RunStarted(make_run(tmp_path)))
    assert read(tmp_path).Tags()["scalars"] == []


def test_what_was_told_is_on_disk_when_it_is_closed(tmp_path: Path) -> None:
    tracker: Tracker = TensorBoardTracker(tmp_path, "accuracy")
    tracker.on_event(StepDone(make_run(tmp_path), 1, 1, 0.5, 0.1))
    tracker.close()
    assert read_curve(tmp_path, "train/loss") == [(1, 0.5)]


def test_file_is_finished_though_the_block_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with TensorBoardTracker(tmp_path, "accuracy") as tracker:
            tracker.on_event(StepDone(make_run(tmp_path), 1, 1, 0.5, 0.1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert read_curve(tmp_path, "train/loss") == [(1, 0.5)]


def test_what_answers_are_worth_stands_at_the_epoch_that_was_chosen(tmp_path: Path) -> None:
    points = (make_point(1, 0.5), make_point(2, 0.8))
    valid = {"accuracy": 0.8, "loss": 0.2, "chrf": 61.5}
    record = make_record(epochs=points, best_epoch=2).model_copy(
        update={"valid": valid, "test": {"chrf": 60.0}}
    )
    with TensorBoardTracker(tmp_path, "accuracy") as tracker:
        tracker.on_event(RunEnded(record))
    assert read_curve(tmp_path, "valid/chrf") == [(2, 61.5)]
    assert read_curve(tmp_path, "test/chrf") == [(2, 60.0)]
    assert "valid/accuracy" not in read(tmp_path).Tags()["scalars"], "its epochs have brought that"


def test_a_run_without_training_stands_at_epoch_0(tmp_path: Path) -> None:
    with TensorBoardTracker(tmp_path, "accuracy") as tracker:
        tracker.on_event(RunEnded(make_record(best_epoch=0, valid=0.25)))
    for tag in ("valid/accuracy", "test/accuracy", "best/valid_accuracy", "best/test_accuracy"):
        assert read_curve(tmp_path, tag) == [(0, 0.25)]


def test_a_run_that_only_chooses_shows_nothing_of_the_test(tmp_path: Path) -> None:
    record = make_record(best_epoch=1, for_tuning=True).model_copy(update={"test": None})
    with TensorBoardTracker(tmp_path, "accuracy") as tracker:
        tracker.on_event(RunEnded(record))
    assert not any("test" in tag for tag in read(tmp_path).Tags()["scalars"])


def test_a_folder_that_is_removed_meanwhile_is_said_to_who_writes_and_leaves_no_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, folder = make_run(tmp_path), tmp_path / "curves"
    for module in (sys, threading):
        monkeypatch.setattr(module, "excepthook", module.excepthook)
    escape_tracebacks()  # as the command line does
    tracker = TensorBoardTracker(folder, "accuracy")
    shutil.rmtree(folder)

    def write() -> None:
        for step in range(100_000):
            tracker.on_event(StepDone(run, step, 100_000, 1.0, 0.1))
            tracker._writer.flush()

    with pytest.raises(OSError, match="curves"):
        write()
    assert capsys.readouterr().err == ""
