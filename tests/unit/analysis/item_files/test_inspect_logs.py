"""Logs of Inspect: formats, Zstandard, chunked samples, letters, epochs, evaluations that did not end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headstart.analysis.item_files.inspect_logs import INSPECT
from headstart.config.metrics import MetricInfo
from headstart.errors import DataError
from others_results import make_log, write_eval_log, write_json_log, write_zstandard_log

LETTERS = [{"a": "C", "b": "I"}, {"a": "P", "b": "N"}]
FORMATS: Mapping[str, tuple[str, Callable[[Path, Mapping[str, Any]], Path]]] = {
    "json": ("log.json", write_json_log),
    "eval": ("log.eval", write_eval_log),
    "eval of samples alone": ("log.eval", partial(write_eval_log, summaries=False)),
    "eval of chunked samples": ("log.eval", partial(write_eval_log, summaries=False, chunked=True)),
    "zstandard": ("log.eval", write_zstandard_log),
}


@pytest.mark.parametrize("name", FORMATS)
def test_samples_are_items_epochs_are_seeds_and_letters_are_numbers(tmp_path: Path, name: str) -> None:
    file_name, write = FORMATS[name]
    file = write(tmp_path / file_name, make_log("openai/gpt-4", LETTERS))
    assert INSPECT.recognises(file)
    items = INSPECT.read(file)
    assert (items.arm, items.task, items.has_seeds) == ("openai/gpt-4", "security_guide", True)
    assert {(row.item, row.seed): row.values["match"] for row in items.rows} == {
        ("a", 1): 1.0,
        ("b", 1): 0.0,
        ("a", 2): 0.5,
        ("b", 2): 0.0,
    }
    assert items.known == {"match": MetricInfo("match", lower_is_better=False, is_share=True)}


def test_numbers_stay_and_objects_are_several_metrics(tmp_path: Path) -> None:
    log = make_log(
        "m", [{1: {"helpful": 0.25, "harmful": 3}, 2: {"helpful": 1, "harmful": 0}}], scorer="judge"
    )
    items = INSPECT.read(write_json_log(tmp_path / "log.json", log))
    assert [dict(row.values) for row in items.rows] == [
        {"judge.helpful": 0.25, "judge.harmful": 3},
        {"judge.helpful": 1, "judge.harmful": 0},
    ]
    assert items.known == {}


def test_what_was_not_scored_has_no_score(tmp_path: Path) -> None:
    """`Score.unscored()` is NaN, a sample with an error has no scores."""
    log = make_log("m", [{1: float("nan"), 2: 1.0}])
    log["samples"][1]["scores"] = None
    first, second = INSPECT.read(write_json_log(tmp_path / "log.json", log)).rows
    assert first.values == {}
    assert second.values == {}


def test_a_sample_that_was_not_scored_leaves_letters_known(tmp_path: Path) -> None:
    items = INSPECT.read(write_json_log(tmp_path / "log.json", make_log("m", [{1: float("nan"), 2: "C"}])))
    assert "match" in items.known


@pytest.mark.parametrize("status", ["started", "cancelled", "error"])
def test_an_evaluation_that_did_not_end_is_refused(tmp_path: Path, status: str) -> None:
    file = write_eval_log(tmp_path / "log.eval", make_log("m", LETTERS, status=status))
    with pytest.raises(DataError, match=rf"status is '{status}'[\s\S]*inspect eval-retry log\.eval"):
        INSPECT.read(file)


def test_a_log_that_a_crash_left_has_no_header(tmp_path: Path) -> None:
    file = write_eval_log(tmp_path / "log.eval", make_log("m", LETTERS), header=False)
    assert INSPECT.recognises(file)
    with pytest.raises(DataError, match="status is 'started'"):
        INSPECT.read(file)


def test_a_log_without_samples_is_refused(tmp_path: Path) -> None:
    log = make_log("m", LETTERS) | {"samples": None}
    with pytest.raises(DataError, match="without samples"):
        INSPECT.read(write_json_log(tmp_path / "log.json", log))


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    file = write_zstandard_log(tmp_path / "log.eval", make_log("m", LETTERS))
    content = file.read_bytes()
    place = content.rindex(b"header.json", 0, content.index(b"PK\x01\x02")) + len(b"header.json")
    file.write_bytes(content[: place + 8] + b"\0" * 8 + content[place + 16 :])
    with pytest.raises(DataError, match=r"log\.eval: header\.json in it cannot be read"):
        INSPECT.read(file)


def test_other_json_is_no_log(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    values: tuple[object, ...] = ({"results": {}}, [{"status": "ok"}], {"status": "success"})
    for value in values:
        file.write_text(json.dumps(value), encoding="utf-8")
        assert not INSPECT.recognises(file)
