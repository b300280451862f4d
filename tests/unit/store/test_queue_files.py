"""The files of a queue: read as they were written, or refused in one message; they name no path."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from headstart.errors import HeadstartError
from headstart.records.queue import PackList, QueuedPack, QueuedRun, QueueManifest, identify_pack
from headstart.store import queue_files
from headstart.store.layout import StudyLayout
from headstart.store.queue_files import QueueFiles

VALUES: dict[str, Any] = {
    "queue": "0" * 16,
    "state": "open",
    "study": "0" * 64,
    "data": "d",
    "precision": "fp32",
    "stale_seconds": 60.0,
    "lists": 1,
}


@pytest.fixture
def files(tmp_path: Path) -> QueueFiles:
    """A queue with a manifest."""
    made = QueueFiles(StudyLayout(tmp_path))
    made.write_manifest(QueueManifest(**VALUES))
    return made


def test_what_was_written_is_read_again(files: QueueFiles) -> None:
    assert files.read_manifest() == QueueManifest(**VALUES)
    run = QueuedRun(arm="a", size="all", seed=0, point={"learning_rate": 1e-3}, for_tuning=True)
    pack = QueuedPack(id=identify_pack([run.key]), runs=(run,), deadline=600.0)
    packs = PackList(queue="0" * 16, threads=1, packs=(pack,))
    files.write_list(1, packs)
    assert files.read_list(1) == packs
    assert sorted(path.name for path in files.folder.iterdir()) == ["packs-1.json", "queue.json"]


def test_without_a_queue_there_is_no_manifest(tmp_path: Path) -> None:
    assert QueueFiles(StudyLayout(tmp_path)).read_manifest() is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not complete JSON"),
        (b"\xff\xfe\xfa", "is not complete JSON"),
        (b"[]", "is not a JSON object"),
        (b"[" * 100_000, "nested more than"),
        (b'{"schema_version": 9}', "of schema version 9"),
        (b"{}", "has no schema_version"),
        (json.dumps(VALUES | {"schema_version": 2, "queue": "../../etc"}).encode(), "queue: "),
        (json.dumps(VALUES | {"schema_version": 2, "lists": 10**9}).encode(), "lists: "),
        (json.dumps(VALUES | {"schema_version": 2, "stale_seconds": 0}).encode(), "stale_seconds: "),
        (b'{"schema_version": 2, "stale_seconds": NaN}', "NaN is not a JSON number"),
        (json.dumps(VALUES | {"schema_version": 2, "more": 1}).encode(), "more: "),
    ],
    ids=["empty", "bytes", "list", "deep", "later", "bare", "path", "lists", "stale", "nan", "more"],
)
def test_a_manifest_that_is_damaged_or_invented_is_one_message(
    files: QueueFiles, content: bytes, said: str
) -> None:
    files.manifest_file.write_bytes(content)
    with pytest.raises(HeadstartError) as caught:
        files.read_manifest()
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


def test_what_is_too_large_is_not_read(files: QueueFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_files, "_MOST_MANIFEST", 2**20)
    with files.manifest_file.open("wb") as stream:
        stream.truncate(2**33)
    with pytest.raises(HeadstartError, match="is larger than 1 MiB"):
        files.read_manifest()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_or_a_link_in_its_place_is_neither_waited_for_nor_followed(files: QueueFiles) -> None:
    files.manifest_file.unlink()
    os.mkfifo(files.manifest_file)
    with pytest.raises(HeadstartError):
        files.read_manifest()
    files.manifest_file.unlink()
    files.manifest_file.symlink_to("/etc/hostname")
    with pytest.raises(HeadstartError, match="cannot be read"):
        files.read_manifest()


def test_only_names_of_packs_are_marks(files: QueueFiles) -> None:
    files.set_mark("0123456789abcdef", "ended")
    for name in ("..x", "0123456789ABCDEF", "x" * 16, ".0123456789abcde"):
        (files.folder / "ended" / name).touch()
    assert files.list_marked("ended") == {"0123456789abcdef"}
    assert files.list_marked("free") == set()
    files.remove_mark("0123456789abcdef", "ended")
    files.remove_mark("0123456789abcdef", "free")
    assert files.list_marked("ended") == set()


def test_a_mark_does_not_bring_a_queue_back_that_was_removed(files: QueueFiles) -> None:
    files.remove()
    files.set_mark("0123456789abcdef", "free")
    assert not files.folder.exists()


@pytest.mark.parametrize("change", [{"deadline": 0}, {"deadline": float("inf")}, {"id": "x"}, {"runs": ()}])
def test_a_pack_has_bounds(change: dict[str, Any]) -> None:
    run = QueuedRun(arm="a", size=1, seed=0)
    with pytest.raises(ValidationError):
        QueuedPack(**({"id": identify_pack([run.key]), "runs": (run,), "deadline": 1.0} | change))


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("leases", QueueFiles.list_taken),
        ("ended", lambda files: files.list_marked("ended")),
        ("free", lambda files: files.set_mark("0123456789abcdef", "free")),
        ("free", lambda files: files.remove_mark("0123456789abcdef", "free")),
    ],
    ids=["taken", "listed", "set", "removed"],
)
def test_a_link_in_the_place_of_a_folder_is_refused(
    files: QueueFiles, tmp_path: Path, name: str, use: Callable[[QueueFiles], object]
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/0123456789abcdef").touch()
    (files.folder / name).symlink_to(tmp_path / "theirs")
    with pytest.raises(HeadstartError, match="is a link"):
        use(files)
    assert len(list((tmp_path / "theirs").iterdir())) == 1


def test_a_link_in_the_place_of_a_mark_is_one_and_not_followed(files: QueueFiles, tmp_path: Path) -> None:
    pack, mark = "0123456789abcdef", files.folder / "ended/0123456789abcdef"
    mark.parent.mkdir()
    mark.symlink_to(tmp_path / "theirs")
    files.set_mark(pack, "ended")
    assert files.is_marked(pack, "ended")
    assert not (tmp_path / "theirs").exists()
    files.remove_mark(pack, "ended")
    assert not files.is_marked(pack, "ended")
