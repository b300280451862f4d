"""A folder's placement decides how it goes on, but where it cannot be read or is of another machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from baseline_studies import copy_study, run_baselines
from headstart.cli import main

StudyIn = Callable[..., Path]
RUN = Path("runs/words/all/1")


@pytest.fixture(scope="module")
def done(study_in: StudyIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a study of two arms that make no steps, which was run."""
    return run_baselines(study_in, tmp_path_factory.mktemp("placed"))


@pytest.fixture
def going_on(done: Path, tmp_path: Path) -> Path:
    """A copy of it, of which a run is missing."""
    file = copy_study(done, tmp_path)
    shutil.rmtree(tmp_path / "out" / RUN)
    return file


def read(study: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((study.parent / "out" / "placement.json").read_bytes())
    return values


def edit(study: Path, **changes: Any) -> None:
    (study.parent / "out" / "placement.json").write_text(json.dumps(read(study) | changes), "utf-8")


def go_on(study: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """Run the study to its end; gives what is said."""
    capfd.readouterr()
    assert main(["run", str(study)]) == 0
    assert (study.parent / "out" / RUN / "record.json").is_file()
    streams = capfd.readouterr()
    return " ".join((streams.out + streams.err).split())


def test_a_placement_of_this_machine_is_kept(going_on: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = read(going_on)
    edit(going_on, reason="as it was chosen", threads=1)
    assert "train under other conditions" not in go_on(going_on, capfd)
    after = read(going_on)
    assert after == before | {"reason": "as it was chosen", "threads": 1}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"schema_version": 3}', b'{"schema_version": 2, "workers": 1e9}']
)
def test_one_that_cannot_be_read_is_chosen_anew(
    going_on: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    before = read(going_on)
    (going_on.parent / "out" / "placement.json").write_bytes(content)
    go_on(going_on, capfd)
    after = read(going_on)
    assert {name: after[name] for name in ("machine", "asked", "workers", "threads", "pack")} == {
        name: before[name] for name in ("machine", "asked", "workers", "threads", "pack")
    }


@pytest.mark.parametrize("changes", [{"workers": -1}, {"threads": 10**9}, {"pack": 0}, {"more": 1}])
def test_numbers_that_no_machine_has_are_not_taken(
    going_on: Path, changes: dict[str, int], capfd: pytest.CaptureFixture[str]
) -> None:
    before = read(going_on)
    edit(going_on, **changes)
    go_on(going_on, capfd)
    after = read(going_on)
    assert after.keys() == before.keys()
    assert [after[name] for name in changes if name in after] == [
        before[name] for name in changes if name in before
    ]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"machine": "another processor, 96 usable"}, "(was another processor, 96 usable)"),
        ({"asked": {"workers": 7, "pack": "auto"}}, "workers: 0 (was 7)"),
    ],
)
def test_one_of_another_machine_or_question_is_said_and_not_taken(
    going_on: Path, changes: dict[str, Any], what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = read(going_on)
    edit(going_on, **changes, workers=3)
    said = go_on(going_on, capfd)
    assert "will train under other conditions than the earlier ones, and may differ by rounding" in said
    assert what in said
    after = read(going_on)
    assert (after["machine"], after["asked"], after["workers"]) == (before["machine"], before["asked"], 0)
