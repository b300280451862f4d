"""The log of looks: what is a new one, what is read back, and what older folders tell."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from headstart.errors import DamagedFileError, OutputError
from headstart.records import Look, Looks
from headstart.store.layout import StudyLayout
from headstart.store.looks import log_look, read_looks
from headstart.store.records import write_json
from studies import findings_of, make_study


def seeds_of(looks: tuple[Look, ...]) -> list[tuple[int, ...]]:
    return [look.seeds for look in looks]


def test_each_set_of_seeds_is_one_look(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    assert read_looks(layout) == ()
    for seeds, margin in (([0, 1, 2], None), ([2, 1, 0], 1.0), ([0, 1, 2, 3], 1.0), ([0, 1, 2, 3], 2.0)):
        logged = log_look(layout, make_study(seeds=seeds, margin=margin))
        assert logged == read_looks(layout)
    assert seeds_of(logged) == [(0, 1, 2), (0, 1, 2, 3)]
    assert [look.margin for look in logged] == [None, 1.0], "as it was when they were first seen"
    assert {look.headstart for look in logged} == {version("headstart")}
    assert all(datetime.fromisoformat(look.time).tzinfo is not None for look in logged)


def test_results_of_before_there_was_a_log_are_a_look(tmp_path: Path) -> None:
    layout, findings = StudyLayout(tmp_path), findings_of(margin=1.5)
    values = {key: value for key, value in findings.to_dict().items() if key != "looks"}
    write_json(tmp_path / "results.json", values)
    (look,) = read_looks(layout)
    assert (look.seeds, look.margin, look.headstart) == ((0, 1, 2), 1.5, None)
    assert seeds_of(log_look(layout, make_study(seeds=5))) == [(0, 1, 2), (0, 1, 2, 3, 4)]


def test_results_of_runs_that_all_failed_are_no_look(tmp_path: Path) -> None:
    failed = findings_of({"pretrained": (None,), "random": (None,)})
    write_json(tmp_path / "results.json", failed.to_dict())
    assert read_looks(StudyLayout(tmp_path)) == ()


def test_a_log_that_was_deleted_is_read_from_the_results(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    log_look(layout, make_study(seeds=3))
    looks = log_look(layout, make_study(seeds=5))
    write_json(tmp_path / "results.json", replace(findings_of(), looks=looks).to_dict())
    layout.looks_file.unlink()
    assert read_looks(layout) == looks
    assert log_look(layout, make_study(seeds=5)) == looks
    assert layout.looks_file.is_file()


@pytest.mark.parametrize("text", ["{}x", "[1]", '{"looks": [{"seeds": 1}]}', "{}"])
def test_results_that_cannot_be_read_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text, encoding="utf-8")
    with pytest.raises(OutputError, match="with which seeds results were seen") as caught:
        read_looks(StudyLayout(tmp_path))
    assert caught.value.where == str(tmp_path / "results.json")


def test_a_log_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    values = {"schema_version": 2, "looks": [{"seeds": [0]}]}
    layout.looks_file.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(DamagedFileError, match=r"looks\.0\.time: Field required") as caught:
        read_looks(layout)
    assert caught.value.where == str(layout.looks_file)


def test_a_log_without_a_version_is_not_taken_unread(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    layout.looks_file.write_text('{"looks": []}', encoding="utf-8")
    with pytest.raises(DamagedFileError, match="has no schema_version"):
        read_looks(layout)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"schema_version": 2, "looks": NaN}'])
def test_a_damaged_log_is_written_anew_from_the_results(tmp_path: Path, content: bytes) -> None:
    layout = StudyLayout(tmp_path)
    looks = log_look(layout, make_study(seeds=3))
    write_json(tmp_path / "results.json", replace(findings_of(), looks=looks).to_dict())
    layout.looks_file.write_bytes(content)
    assert read_looks(layout) == looks
    assert log_look(layout, make_study(seeds=3)) == looks
    assert Looks.model_validate_json(layout.looks_file.read_bytes()).looks == looks
    assert (tmp_path / "set-aside" / "looks.json" / "1" / "looks.json").read_bytes() == content
