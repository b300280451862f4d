"""Scalars by step are read back from what TensorBoard's tracker wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from headstart.store.event_scalars import read_scalars


def write_losses(folder: Path, losses: dict[int, float], tag: str = "train/loss", suffix: str = "") -> None:
    writer = EventFileWriter(str(folder), filename_suffix=suffix)
    for step, loss in losses.items():
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=loss)])
        writer.add_event(Event(step=step, summary=summary))
    writer.close()


def test_losses_are_read_by_step(tmp_path: Path) -> None:
    write_losses(tmp_path, {1: 0.5, 2: 0.25})
    write_losses(tmp_path, {1: 9.0}, tag="train/lr", suffix=".other")
    assert read_scalars(tmp_path) == {"train/loss": {1: 0.5, 2: 0.25}, "train/lr": {1: 9.0}}


def test_what_was_told_twice_counts_as_told_last(tmp_path: Path) -> None:
    write_losses(tmp_path, {1: 0.5, 2: 0.25, 3: 0.75})
    write_losses(tmp_path, {3: 0.125, 4: 0.0625}, suffix=".resumed")
    assert read_scalars(tmp_path)["train/loss"] == {1: 0.5, 2: 0.25, 3: 0.125, 4: 0.0625}


@pytest.mark.parametrize("damage", [b"", b"\xff" * 40, b"no events at all"])
def test_of_a_damaged_file_what_stands_before_the_damage(tmp_path: Path, damage: bytes) -> None:
    write_losses(tmp_path, {1: 0.5, 2: 0.25})
    (file,) = tmp_path.glob("events*")
    file.write_bytes(file.read_bytes()[:-7] + damage)
    assert read_scalars(tmp_path)["train/loss"] == {1: 0.5}


def test_no_folder_no_losses(tmp_path: Path) -> None:
    assert read_scalars(tmp_path / "none") == {}
