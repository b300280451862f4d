"""A run is trained again in this process, equal to its record; what cannot be is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import headstart
from headstart.errors import HeadstartError

StudyFile = Callable[..., Path]


@pytest.fixture
def out(study_file: StudyFile, tmp_path: Path) -> Path:
    """The folder of a small study, trained in this process."""
    arms: dict[str, dict[str, str] | None] = {"pretrained": {}, "words": None}
    training = {"epochs": 1, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}
    headstart.run(headstart.load_study(study_file(arms=arms, seeds=[0], workers=0, training=training)))
    return tmp_path / "out"


def _list_files(folder: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in folder.rglob("*")}


def test_a_run_of_this_process_is_equal_and_its_folder_untouched(out: Path) -> None:
    before = _list_files(out)
    replay = headstart.replay(out, "pretrained/all/0")
    assert (replay.verdict, replay.metrics, replay.conditions) == ("equal", (), ())
    assert _list_files(out) == before


def test_what_was_trained_can_be_kept(out: Path, tmp_path: Path) -> None:
    replay = headstart.replay(out, "pretrained/all/0", keep=tmp_path / "kept")
    assert replay.kept == tmp_path / "kept"
    assert (tmp_path / "kept/runs/pretrained/all/0/record.json").is_file()


@pytest.mark.parametrize("key", ["pretrained/all/7", "nothing", "../all/0"])
def test_a_run_that_is_not_there_is_named(out: Path, key: str) -> None:
    with pytest.raises(HeadstartError) as refused:
        headstart.replay(out, key)
    assert key in str(refused.value)


def test_nothing_is_kept_in_the_studys_folder(out: Path) -> None:
    with pytest.raises(HeadstartError, match="lies within the study's folder"):
        headstart.replay(out, "pretrained/all/0", keep=out / "kept")
    assert not (out / "kept").exists()
