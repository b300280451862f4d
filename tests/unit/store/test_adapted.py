"""Records of adaptations as they lie in a study's folder: one that cannot be read is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.store.adapted import RECORD, read_adapting
from headstart.store.layout import StudyLayout


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"record": {}}', b"\xff\xfe{}"])
def test_a_record_that_cannot_be_read_is_left_out(tmp_path: Path, content: bytes) -> None:
    layout = StudyLayout(tmp_path)
    folder = layout.adapted_folder / "seed-0-model"
    folder.mkdir(parents=True)
    (folder / RECORD).write_bytes(content)
    assert read_adapting(layout) == []


def test_a_folder_in_its_place_is_left_out(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    (layout.adapted_folder / "seed-0-model" / RECORD).mkdir(parents=True)
    assert read_adapting(layout) == []
