"""A training state that is not whole is said before its run begins anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from headstart.store.layout import StudyLayout
from headstart.store.states import (
    CHECKSUM,
    STATE_FILE,
    UNKNOWN_CHECKSUM,
    describe_damaged_state,
    seal_state,
)

KEY = "a/all/0"


METADATA = dict.fromkeys(("identity", "steps", "points", "mark"), "it") | {CHECKSUM: UNKNOWN_CHECKSUM}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = StudyLayout(tmp_path).get_state_folder(KEY) / STATE_FILE
    file.parent.mkdir(parents=True)
    save_file({"weights": np.zeros(100, np.float32)}, file, metadata=METADATA)
    seal_state(file)
    return file


def test_a_whole_state_and_none_are_not_worth_a_word(file: Path, tmp_path: Path) -> None:
    assert describe_damaged_state(StudyLayout(tmp_path), KEY) is None
    assert describe_damaged_state(StudyLayout(tmp_path), "a/all/1") is None


@pytest.mark.parametrize("kept", [0, 7, 40, 300])
def test_half_a_state_is_said(file: Path, tmp_path: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    sentence = describe_damaged_state(StudyLayout(tmp_path), KEY)
    assert sentence is not None
    assert sentence.startswith(f"run {KEY} begins anew: {file}, its training state, cannot be read")


def test_a_changed_tensor_and_a_state_that_lacks_something_are_said(file: Path, tmp_path: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-7] ^= 1
    file.write_bytes(content)
    said = str(describe_damaged_state(StudyLayout(tmp_path), KEY))
    assert said.endswith("its training state, is damaged: its checksum is another")
    save_file({"weights": np.zeros(100, np.float32)}, file, metadata=METADATA | {"crc32": "00000000"})
    assert "its checksum is another" in str(describe_damaged_state(StudyLayout(tmp_path), KEY))
    save_file({"weights": np.zeros(100, np.float32)}, file, metadata={"identity": "it"})
    assert "lacks 'mark'" in str(describe_damaged_state(StudyLayout(tmp_path), KEY))


@pytest.mark.parametrize("content", ["[]", "{}", '{"a": 1}', '{"a": {"data_offsets": [0, "x"]}}', "[" * 999])
def test_a_header_of_anything_is_said(file: Path, tmp_path: Path, content: str) -> None:
    file.write_bytes(len(content).to_bytes(8, "little") + content.encode())
    assert "begins anew" in str(describe_damaged_state(StudyLayout(tmp_path), KEY))


def test_a_folder_in_its_place_is_said(file: Path, tmp_path: Path) -> None:
    file.unlink()
    file.mkdir()
    assert "begins anew" in str(describe_damaged_state(StudyLayout(tmp_path), KEY))
