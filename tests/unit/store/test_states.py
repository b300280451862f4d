"""A training state that is not whole is said before its run begins anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from headstart.store.layout import StudyLayout
from headstart.store.states import STATE_FILE, describe_damaged_state

KEY = "a/all/0"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = StudyLayout(tmp_path).get_state_folder(KEY) / STATE_FILE
    file.parent.mkdir(parents=True)
    save_file({"weights": np.zeros(100, np.float32)}, file)
    return file


def test_a_whole_state_and_none_are_not_worth_a_word(file: Path, tmp_path: Path) -> None:
    assert describe_damaged_state(StudyLayout(tmp_path), KEY) is None
    assert describe_damaged_state(StudyLayout(tmp_path), "a/all/1") is None


@pytest.mark.parametrize("kept", [0, 7, 40, 300])
def test_half_a_state_is_said(file: Path, tmp_path: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    sentence = describe_damaged_state(StudyLayout(tmp_path), KEY)
    assert sentence is not None
    assert sentence.startswith(
        f"run {KEY} restarts from the beginning:  {file}, its training state, cannot be read"
    )


def test_a_folder_in_its_place_is_said(file: Path, tmp_path: Path) -> None:
    file.unlink()
    file.mkdir()
    assert "restarts from the beginning" in str(describe_damaged_state(StudyLayout(tmp_path), KEY))
