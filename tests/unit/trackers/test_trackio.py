"""What trackio's own reader finds of runs, in its database."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from headstart.config.trackers import TrackioSettings
from headstart.trackers.trackio import TrackioTracker
from tracked_runs import list_events, make_run, make_tracked, tell

#: Not imported here: it looks at its environment when it is.
pytestmark = pytest.mark.skipif(find_spec("trackio") is None, reason="trackio is not installed")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TrackioSettings:
    """One folder for all tests: trackio takes one a process."""
    return TrackioSettings(project="tests", dir=str(tmp_path_factory.mktemp("trackio")))


def list_runs(out: Path) -> dict[str, Any]:
    from trackio import Api

    prefix = f"study-{make_tracked(out).study.id[:6]}/"
    mine = [run for run in Api().runs("tests") if run.name.startswith(prefix)]
    assert len({run.name for run in mine}) == len(mine), "no run is there twice"
    return {run.name.removeprefix(prefix): run for run in mine}


def read_rows(run: Any) -> list[dict[str, Any]]:
    from trackio.sqlite_storage import SQLiteStorage

    rows = SQLiteStorage.get_logs("tests", run.name, run_id=run.id)
    return [{key: value for key, value in row.items() if key != "timestamp"} for row in rows]


def test_each_run_has_its_settings_and_points(tmp_path: Path, settings: TrackioSettings) -> None:
    runs = [make_run(tmp_path, arm) for arm in ("pretrained", "random")]
    # Of a pack: both are open at once.
    trackers = [TrackioTracker(make_tracked(tmp_path, run), settings) for run in runs]
    for run, tracker in zip(runs, trackers, strict=True):
        tell(tracker, list_events(run))
    found = list_runs(tmp_path)
    assert found.keys() == {"pretrained/all/0", "random/all/0"}
    for run in runs:
        assert found[run.key].config["arm"] == run.arm
        assert found[run.key].config["_Group"] == "study"
        rows = read_rows(found[run.key])
        assert [(row["step"], row["train/loss"]) for row in rows if "train/loss" in row] == [
            (1, 1.0),
            (2, 0.5),
            (3, pytest.approx(1 / 3)),
            (4, 0.25),
        ]
        epochs = [row for row in rows if "valid/accuracy" in row]
        assert [(row["epoch"], row["step"], row["valid/accuracy"]) for row in epochs] == [
            (1, 2, 0.75),
            (2, 4, 0.5),
        ]
        (tested,) = [row for row in rows if "test/accuracy" in row]
        assert (tested["epoch"], tested["test/accuracy"]) == (1, 0.625)


def test_a_later_call_replaces_what_an_earlier_one_told(tmp_path: Path, settings: TrackioSettings) -> None:
    tracked = make_tracked(tmp_path)
    for epochs, status in ((1, None), (2, "done")):
        tell(TrackioTracker(tracked, settings), list_events(tracked.run, epochs=epochs, status=status))
    rows = read_rows(list_runs(tmp_path)[tracked.run.key])
    assert sorted(row["step"] for row in rows if "train/loss" in row) == [1, 2, 3, 4]


def test_another_folder_in_the_same_process_is_refused(tmp_path: Path, settings: TrackioSettings) -> None:
    TrackioTracker(make_tracked(tmp_path), settings).close()
    with pytest.raises(RuntimeError, match="already writes to"):
        TrackioTracker(make_tracked(tmp_path), TrackioSettings(dir=str(tmp_path / "other")))
