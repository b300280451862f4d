"""Runs are added to those of the same data and checkpoints alone; what was changed is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.errors import OutputError
from headstart.records import CheckpointDigest, RunRecord
from headstart.store.layout import StudyLayout
from headstart.store.provenance import collect_provenance
from headstart.store.same_sources import check_sources
from small_studies import make_record

FILES = {"config.json": "1", "model.safetensors": "2", "tokenizer.json": "3"}
NOW = CheckpointDigest(digest="files-2:now", files=FILES, weights="w", former="files-2:former")
OTHER = CheckpointDigest(digest="files-2:another arm's", files={"config.json": "9", "model.safetensors": "9"})


def made_from(data: str, checkpoint: str | None, files: dict[str, str] | None = None) -> RunRecord:
    source = CheckpointDigest(digest=checkpoint, files=files or {}) if checkpoint else None
    return make_record(provenance=collect_provenance(data=data, checkpoint=source, commit=None))


@pytest.mark.parametrize(
    "record",
    [made_from("d", x) for x in ("files-2:now", "w", "files-2:former", None)] + [make_record()],
    ids=["now", "by weights", "without some files", "no checkpoint", "nothing noted"],
)
def test_same_files_are_known_by_their_digests(record: RunRecord, tmp_path: Path) -> None:
    check_sources([record], "d", [OTHER, NOW], StudyLayout(tmp_path))


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (made_from("d2", "files-2:now"), "other data: a file has changed since"),
        (made_from("d", "w2"), "another checkpoint: a file has changed since"),
        (
            made_from("d", "files-2:before", FILES | {"tokenizer.json": "x"}),
            "another checkpoint: tokenizer.json has changed since",
        ),
        (
            made_from(
                "d", "files-2:before", {k: v for k, v in FILES.items() if k != "config.json"} | {"a": "1"}
            ),
            "another checkpoint: a, config.json have changed since",
        ),
    ],
)
def test_changed_file_is_refused(record: RunRecord, what: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        check_sources([record], "d", [OTHER, NOW], StudyLayout(tmp_path))
    assert caught.value.got == f"run a/all/0 was trained with {what}"
    assert caught.value.where == str(tmp_path)
