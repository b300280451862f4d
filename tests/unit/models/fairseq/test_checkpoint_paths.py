"""Checkpoints are found by any name that fairseq gives them; parts and several are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.errors import HeadstartError
from headstart.models.fairseq.checkpoint_paths import find_checkpoint

NAMES = ("model.pt", "checkpoint_best.pt", "checkpoint_last.pt", "checkpoint_1_10.pt", "checkpoint3.pt")


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_is_taken_by_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / "dict.txt").write_bytes(b"x")
    assert find_checkpoint(tmp_path) == find_checkpoint(tmp_path / name) == tmp_path / name


def test_several_are_listed(tmp_path: Path) -> None:
    for name in NAMES[1:3]:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(HeadstartError) as caught:
        find_checkpoint(tmp_path)
    assert "several checkpoints: checkpoint_best.pt, checkpoint_last.pt" in str(caught.value)
    assert "name the file itself" in str(caught.value)


@pytest.mark.parametrize("name", ["checkpoint_best-shard0.pt", "checkpoint_last-rank-0.pt"])
def test_shards_are_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(HeadstartError, match=f"{name} is one part of a checkpoint"):
            find_checkpoint(path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match=r"no checkpoint \(\*\.pt\) in it"):
        find_checkpoint(tmp_path)
    with pytest.raises(HeadstartError, match="no such file"):
        find_checkpoint(tmp_path / "model.pt")
