"""What Weights & Biases writes of runs offline, read as its own `sync` reads it: no network is touched."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headstart.config.trackers import WandbSettings
from headstart.trackers.wandb import WandbTracker
from tracked_runs import CURVES, list_events, make_run, make_tracked, tell

pytest.importorskip("wandb")

#: Bytes of the file's header, of a block, and of the header of a piece in it: LevelDB's log format.
HEADER, BLOCK, PIECE = 7, 32768, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def read_records(folder: Path) -> Iterator[Any]:
    """The records of an offline run's file, as wandb's own messages."""
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = folder.glob("*.wandb")
    data, at, parts = file.read_bytes(), HEADER, b""
    while at + PIECE <= len(data):
        if BLOCK - at % BLOCK < PIECE:
            at += BLOCK - at % BLOCK
            continue
        size, kind = struct.unpack("<HB", data[at + 4 : at + PIECE])
        parts += data[at + PIECE : at + PIECE + size]
        at += PIECE + size
        if kind in (FULL, LAST):
            record = Record()
            record.ParseFromString(parts)
            yield record
            parts = b""


def list_folders(out: Path) -> list[Path]:
    import wandb

    wandb.teardown()  # its process ends, as it does with a worker's: all is on the disk
    return sorted((out / "wandb").glob("offline-run-*"))


def read_curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """By tag: at which step or epoch, and the value."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for record in read_records(folder):
        items = record.history.item if record.WhichOneof("record_type") == "history" else ()
        row: dict[str, Any] = {
            item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items
        }
        at: int = row["step"] if "step" in row else row.get("epoch", -1)
        for tag in row.keys() & CURVES.keys():
            curves.setdefault(tag, []).append((at, row[tag]))
    return curves


def test_runs_of_a_pack_have_their_group_settings_axes_points_and_end(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, arm) for arm in ("pretrained", "random")]
    trackers = [WandbTracker(make_tracked(tmp_path, run), WandbSettings(project="p")) for run in runs]
    for run, tracker, status in zip(runs, trackers, ("done", "failed"), strict=True):
        tell(tracker, list_events(run, status=status))
    folders = list_folders(tmp_path)
    assert len(folders) == 2
    found = {}
    for folder in folders:
        records = list(read_records(folder))
        begun = next(record.run for record in records if record.WhichOneof("record_type") == "run")
        ended = next(record.exit for record in records if record.WhichOneof("record_type") == "exit")
        found[begun.display_name] = (begun, ended.exit_code, folder, records)
    begun, code, folder, records = found["pretrained/all/0"]
    assert (begun.project, begun.run_group, begun.job_type, code) == ("p", "study", "pretrained", 0)
    assert found["random/all/0"][1] == 1
    config = {item.key: json.loads(item.value_json) for item in begun.config.update}
    assert (config["arm"], config["learning_rate"], config["seed"]) == ("pretrained", 3e-5, 0)
    assert read_curves(folder) == CURVES
    axes = {
        record.metric.glob_name: record.metric.step_metric
        for record in records
        if record.WhichOneof("record_type") == "metric" and record.metric.glob_name
    }
    assert axes == {"train/*": "step", "valid/*": "epoch", "test/*": "epoch", "best/*": "epoch"}


def test_a_later_call_goes_on_under_the_same_id_and_tells_nothing_twice(tmp_path: Path) -> None:
    tracked, ids = make_tracked(tmp_path), []
    for epochs, status in ((1, None), (2, "done")):
        tell(WandbTracker(tracked, WandbSettings()), list_events(tracked.run, epochs=epochs, status=status))
        (folder,) = list_folders(tmp_path)
        ids.append(folder.name.rpartition("-")[2])
    assert ids[0] == ids[1]
    assert read_curves(folder) == CURVES


def test_online_without_a_key_ends_at_once_and_asks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(RuntimeError, match="no API key; run `wandb login`"):
        WandbTracker(make_tracked(tmp_path), WandbSettings(mode="online"))
