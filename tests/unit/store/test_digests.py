"""Digests tell a changed file, and a changed record, from what a run left."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from headstart.errors import DamagedFileError
from headstart.store.digests import find_changed_file
from headstart.store.layout import StudyLayout
from headstart.store.records import read_record, write_record
from small_studies import make_record

FILES = {"predictions.parquet": b"p", "tokens.parquet": b"t", "model/model.safetensors": b"m"}


def write(layout: StudyLayout) -> Path:
    folder = layout.get_run_folder("a/all/0")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "left.tmp").touch()
    write_record(layout, make_record())
    return folder


def test_a_record_names_the_files_that_its_run_left(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    record = read_record(write(layout) / "record.json", layout)
    assert record.files == {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


@pytest.mark.parametrize("name", FILES)
def test_the_file_that_was_changed_is_named(tmp_path: Path, name: str) -> None:
    layout = StudyLayout(tmp_path)
    folder = write(layout)
    record = read_record(folder / "record.json", layout)
    assert find_changed_file(record, folder) is None
    (folder / name).write_bytes(b"changed")
    assert find_changed_file(record, folder) == folder / name
    (folder / name).unlink()
    assert find_changed_file(record, folder) is None, "deleted to save space"


def test_neither_white_space_nor_the_order_of_keys_is_a_change(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    file = write(layout) / "record.json"
    values = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(dict(reversed(values.items()))), encoding="utf-8")
    assert read_record(file, layout).key == "a/all/0"


def test_every_value_of_a_record_is_in_its_digest(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    file = write(layout) / "record.json"
    values = json.loads(file.read_text("utf-8"))
    changes = {"seconds": 3.5, "train_examples": 9, "valid": {"accuracy": 0.9}, "warnings": [], "files": {}}
    for key, value in changes.items():
        if values[key] != value:
            file.write_text(json.dumps(values | {key: value}), encoding="utf-8")
            with pytest.raises(DamagedFileError, match="its digest differs"):
                read_record(file, layout)
