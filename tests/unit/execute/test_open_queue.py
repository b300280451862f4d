"""A worker trains on the coordinator's data and checkpoints, or says which of them differ."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fuzzing import limit_seconds
from headstart.errors import HeadstartError
from headstart.execute.open_queue import _check_sources, has_study_of
from headstart.prepared import PreparedStudy
from headstart.records.queue import QueueManifest
from headstart.store.layout import StudyLayout
from headstart.store.queue_files import QueueFiles
from headstart.store.same_sources import UNKNOWN_DIGEST


def _check(data: str, checkpoints: dict[str, str]) -> None:
    """Where the coordinator has the data "d" and of the checkpoint "my-data" the digest "1"."""
    values: dict[str, Any] = {"queue": "0" * 16, "state": "open", "study": "0" * 64, "precision": "fp32"}
    theirs = QueueManifest(**values, data="d", checkpoints={"my-data": "1"}, stale_seconds=60.0)
    sources = {
        name: SimpleNamespace(source=SimpleNamespace(digest=digest)) for name, digest in checkpoints.items()
    }
    ours = SimpleNamespace(corpus=SimpleNamespace(digest=data), checkpoints=sources)
    _check_sources(cast(PreparedStudy, ours), theirs, Path("out"))


def test_the_same_sources_and_those_of_which_nothing_is_known_are_taken() -> None:
    _check("d", {"my-data": "1"})
    _check("d", {"my-data": UNKNOWN_DIGEST})


@pytest.mark.parametrize(
    ("data", "checkpoints", "what"),
    [
        ("e", {"my-data": "1"}, "the data on this machine differ from the coordinator's"),
        ("d", {"my-data": "2"}, "the checkpoint my-data on this machine differs from the coordinator's"),
        ("d", {}, "the checkpoint my-data on this machine differs from the coordinator's"),
    ],
    ids=["data", "checkpoint", "none"],
)
def test_what_differs_is_named(data: str, checkpoints: dict[str, str], what: str) -> None:
    with pytest.raises(HeadstartError) as caught:
        _check(data, checkpoints)
    assert caught.value.got == f"{what}: its runs could not be compared"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_the_place_of_the_studys_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "study.yaml")
    manifest = cast(QueueManifest, SimpleNamespace(study="0" * 64))
    with limit_seconds(5), pytest.raises(HeadstartError, match="a named pipe, not a file"):
        has_study_of(QueueFiles(StudyLayout(tmp_path)), manifest)
