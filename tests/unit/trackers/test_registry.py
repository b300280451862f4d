"""A tracker of one class and one registration is told of every run's events; one that throws ends none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headstart.cli import main
from headstart.config.trackers import TRACKERS, register_tracker
from headstart.errors import MissingExtraError
from headstart.events import EpochDone, RunEnded, RunStarted, StepDone
from headstart.records import RunRecord
from headstart.store.runs import RunStore
from headstart.trackers import registry
from headstart.trackers.registry import check_trackers
from small_studies import make_study
from toys import trackers as toys

TRAINING = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp64"}
#: What a run costs differs from call to call; what it found does not.
COSTS = {"seconds", "peak_memory_bytes", "peak_device_memory_bytes", "estimate"}
NOTES = {"warnings", "provenance", "digest"}


@pytest.fixture(autouse=True)
def known_toys() -> Iterator[None]:
    toys.MADE.clear()
    for traits in toys.TRAITS.values():
        register_tracker(traits)
    yield
    for name in toys.TRAITS:
        del TRACKERS[name]


def run(
    study_file: Callable[..., Path], folder: Path, trackers: list[str], **changes: Any
) -> dict[str, RunRecord]:
    """Run a study of three arms; its records by key."""
    out = folder / "-".join(trackers or ["none"])
    file = study_file(training=TRAINING, trackers=trackers, out=str(out), pack=2)
    assert main(["run", str(file)]) == 0
    return RunStore(out).read_done_records()


def find(record: RunRecord) -> dict[str, Any]:
    """What a run found, to the last bit."""
    plain = record.model_dump(exclude=COSTS | NOTES)
    for epoch in plain["epochs"]:
        del epoch["seconds"]
    return plain


def test_a_registered_tracker_is_told_of_every_runs_steps_epochs_and_end(
    study_file: Callable[..., Path], tmp_path: Path
) -> None:
    run(study_file, tmp_path, ["tensorboard", "Remembering"])
    trackers = {one.tracked.run.key: one for one in toys.MADE}
    assert trackers.keys() == {"pretrained/all/0", "random/all/0", "words/all/0"}
    assert len(toys.MADE) == 3, "one a run"
    for tracker in trackers.values():
        first, *_, last = tracker.events
        assert isinstance(first, RunStarted)
        assert isinstance(last, RunEnded)
        assert last.record.test
        assert (tracker.tracked.study.metric, tracker.is_closed) == ("accuracy", True)
        assert list(tracker.tracked.folder.glob("events.*")), "TensorBoard's file is there too"
    for key in ("pretrained/all/0", "random/all/0"):
        events = trackers[key].events
        assert [event.step for event in events if isinstance(event, StepDone)] == list(range(1, 17))
        assert [event.epoch.epoch for event in events if isinstance(event, EpochDone)] == [1, 2]


def test_a_tracker_that_throws_is_switched_off_and_the_results_are_the_same_to_the_bit(
    study_file: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = run(study_file, tmp_path, [])
    capsys.readouterr()
    thrown = run(study_file, tmp_path, list(toys.TRAITS))
    said = " ".join(capsys.readouterr().err.split())
    assert {key: find(record) for key, record in thrown.items()} == {
        key: find(one) for key, one in plain.items()
    }
    (off,) = {
        tuple(one.message for one in record.warnings if one.kind == "tracker-off")
        for key, record in thrown.items()
        if not key.startswith("words")
    }
    assert (
        off
        == tuple(
            f"tracker {name} was switched off in this run, with no effect on results: {reason}"
            for name, reason in (
                ("ThrowsWhenMade", "ImportError: libbroken.so: cannot open shared object file"),
                ("ThrowsAtEpoch", "http://***@host/api refused"),
                ("ThrowsAtEnd", "SystemExit: 3"),
                ("ThrowsWhenClosed", "the disk is full, or has no inodes left (df -h, df -i)"),
            )
        )
        or off
    )
    assert "hunter2" not in said
    assert "tracker ThrowsAtStudy: " in said
    assert said.count("tracker ThrowsWhenMade was switched off") == 1
    assert "in runs pretrained/all/0, random/all/0, words/all/0" in said
    after = [one for one in toys.MADE if type(one) is toys.ThrowsAtEpoch and one.tracked.run.arm != "words"]
    assert all(isinstance(one.events[-1], EpochDone) and one.is_closed for one in after), "told no more"


def test_a_full_disk_leaves_a_run_without_curves(
    study_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("headstart.trackers.tensorboard.EventFileWriter", refuse)
    for record in run(study_file, tmp_path, ["tensorboard"]).values():
        assert record.status == "done"
        (warning,) = [one for one in record.warnings if one.kind == "tracker-off"]
        assert "tracker tensorboard was switched off" in warning.message
        assert "the disk is full" in warning.message


def test_other_trackers_are_no_other_study(study_file: Callable[..., Path], tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    for trackers in (["tensorboard"], [], ["Remembering"]):
        assert main(["run", str(study_file(trackers=trackers, out=out))]) == 0
    assert toys.MADE == [], "no run was redone"


def test_a_missing_library_ends_the_study_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    check_trackers(make_study(tmp_path))
    with pytest.raises(MissingExtraError, match="trackers: mlflow needs the package 'mlflow'") as caught:
        check_trackers(make_study(tmp_path, trackers=["tensorboard", "mlflow"]))
    assert (
        caught.value.fix == "in the folder of Headstart's source: pip install -c constraints.txt '.[mlflow]'"
    )
