"""Notes beside a saved model are read as they were written, and as older versions wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headstart.errors import ModelError
from headstart.store.model_notes import (
    NOTES_FILE,
    NOTES_VERSION,
    ModelNotes,
    read_model_notes,
    write_model_notes,
)

NOTES = ModelNotes(
    run="pretrained/all/0",
    metric="accuracy",
    valid=0.75,
    text=("title", "body"),
    max_length=64,
    task="classification",
    method="lora",
    base="org/model",
)


def test_notes_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_model_notes(tmp_path, NOTES)
    assert read_model_notes(tmp_path) == NOTES
    assert [path.name for path in tmp_path.iterdir()] == [NOTES_FILE]


def test_keys_on_disk(tmp_path: Path) -> None:
    write_model_notes(tmp_path, NOTES)
    assert json.loads((tmp_path / "headstart.json").read_text("utf-8")) == {
        "schema_version": 2,
        "run": "pretrained/all/0",
        "metric": "accuracy",
        "valid": 0.75,
        "text": ["title", "body"],
        "max_length": 64,
        "task": "classification",
        "method": "lora",
        "base": "org/model",
        "base_revision": None,
        "base_files": None,
        "label_cells": "text",
        "card": None,
    }


def test_notes_of_the_first_version_are_read(tmp_path: Path) -> None:
    """As Headstart 0.1 wrote them."""
    (tmp_path / NOTES_FILE).write_text(
        '{\n "run": "pretrained/all/0",\n "metric": "accuracy",\n "valid": 0.75,\n "text": "review",\n'
        ' "max_length": null,\n "task": "classification",\n "method": "full",\n "base": "asset:minilm"\n}\n',
        encoding="utf-8",
    )
    notes = read_model_notes(tmp_path)
    assert notes.schema_version == 1
    assert (notes.run, notes.valid, notes.text, notes.max_length) == (
        "pretrained/all/0",
        0.75,
        "review",
        None,
    )
    assert (notes.task, notes.method, notes.base) == ("classification", "full", "asset:minilm")


def test_keys_that_are_not_known_or_not_there_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / NOTES_FILE).write_text('{"text": ["a", "b"], "mood": "good"}', encoding="utf-8")
    assert read_model_notes(tmp_path) == ModelNotes(schema_version=1, text=("a", "b"))


def test_of_a_model_made_elsewhere_nothing_is_known(tmp_path: Path) -> None:
    assert read_model_notes(tmp_path) == ModelNotes()


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'"x"', b"\xff", b'{"text": 3}', b'{"max_length": "many"}', b'{"schema_version": "two"}'],
)
def test_notes_that_cannot_be_read_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NOTES_FILE).write_bytes(content)
    with pytest.raises(ModelError, match=r"headstart\.json cannot be read") as caught:
        read_model_notes(tmp_path)
    assert (caught.value.where, caught.value.fix) == (str(tmp_path), "delete it")


def test_notes_of_a_newer_version_are_refused_whatever_they_hold(tmp_path: Path) -> None:
    newer = {"schema_version": NOTES_VERSION + 1, "text": {"columns": ["a"]}}
    (tmp_path / NOTES_FILE).write_text(json.dumps(newer), encoding="utf-8")
    with pytest.raises(ModelError, match="is of schema version 3, which a later Headstart wrote") as caught:
        read_model_notes(tmp_path)
    assert caught.value.fix == "update headstart"
