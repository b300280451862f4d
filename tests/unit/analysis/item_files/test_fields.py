"""Results of other libraries that are damaged, or not as their format says, are refused by name and place."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from headstart.analysis.item_files import zip_files
from headstart.analysis.item_files.inspect_logs import INSPECT
from headstart.analysis.item_files.lm_eval import LM_EVAL
from headstart.errors import DataError
from others_results import make_log, make_sample, write_eval_log, write_json_log, write_samples

LOG = make_log("m", [{"a": 1, "b": 0}])


def refused(reader: Any, file: Path) -> str:
    assert reader.recognises(file)
    with pytest.raises(DataError) as caught:
        reader.read(file)
    return str(caught.value)


def test_an_archive_whose_directory_is_damaged_is_said_to_be(tmp_path: Path) -> None:
    file = write_eval_log(tmp_path / "log.eval", LOG)
    file.write_bytes(file.read_bytes().replace(b"PK\x01\x02", b"PK\x01\x03", 1))
    assert "a damaged ZIP archive" in refused(INSPECT, file)


def test_an_entry_that_cannot_be_unpacked_is_named(tmp_path: Path) -> None:
    file = write_eval_log(tmp_path / "log.eval", LOG)
    with zipfile.ZipFile(file) as archive:
        start = archive.getinfo("header.json").header_offset + 45
    content = bytearray(file.read_bytes())
    content[start : start + 20] = b"\xff" * 20
    file.write_bytes(content)
    assert "header.json in it cannot be read" in refused(INSPECT, file)


def test_an_entry_larger_than_any_log_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_files, "_MOST", 100)
    file = write_eval_log(tmp_path / "log.eval", LOG)
    assert "in it is larger than" in refused(INSPECT, file)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("samples", "x", "samples is a JSON str"),
        ("samples", [1], "samples[0] is a JSON int"),
        ("samples", [{"scores": 1}], "scores is a JSON int"),
        ("samples", [{"scores": {"match": 1}}], "scores.match is a JSON int"),
        ("samples", [{"epoch": "x"}], "epoch is a JSON str"),
    ],
)
def test_a_field_of_another_kind_is_named(tmp_path: Path, key: str, value: Any, said: str) -> None:
    file = write_json_log(tmp_path / "log.json", LOG | {key: value})
    assert said in refused(INSPECT, file)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"doc_id": [1]}, "doc_id is a JSON list"),
        ({"doc_hash": 1.5}, "doc_hash is a JSON float"),
        ({"metrics": "acc"}, "metrics is a JSON str"),
        ({"metrics": [["acc"]]}, "a name in metrics is a JSON list"),
    ],
)
def test_a_sample_of_another_kind_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    samples = [make_sample(0, {"acc": 1.0}), make_sample(1, {"acc": 1.0}) | changes]
    file = write_samples(tmp_path / "m" / "samples_t_2024-11-05T13-31-45.123456.jsonl", samples)
    assert f"{file}:2: {said}" in refused(LM_EVAL, file)
