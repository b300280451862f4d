"""SHA-256 of what a run leaves, in its record; tells a file, or a record, that was changed afterwards.

They are for accidents and for hands that mean well. Whoever wants to deceive can compute them too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from headstart.files import hash_file
from headstart.records import RunRecord
from headstart.store.predictions import PREDICTIONS_FILE, TOKENS_FILE

#: Of the folders of a run, the one whose files are known by their digests too.
MODEL_FOLDER: Final = "model"


def add_digests(record: RunRecord, folder: Path) -> RunRecord:
    """The record with the digests of the files in the run's folder, and with its own."""
    files = {file.relative_to(folder).as_posix(): hash_file(file) for file in _list_files(folder)}
    with_files = record.model_copy(update={"files": files, "digest": None})
    values = json.loads(with_files.model_dump_json())
    return with_files.model_copy(update={"digest": compute_digest(values)})


def compute_digest(values: Mapping[str, Any]) -> str:
    """SHA-256 of a record's values as they stand in its file, but for `digest`.

    Neither white space and line ends nor the order of keys decide.
    """
    told = {key: value for key, value in values.items() if key != "digest"}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def find_changed_file(record: RunRecord, folder: Path) -> Path | None:
    """The first file of the run that is not what it left; None where all are."""
    return next(list_changed_files(record, folder), None)


def list_changed_files(record: RunRecord, folder: Path) -> Iterator[Path]:
    """The files of the run that are not what it left.

    One that was deleted is not there to be believed: predictions and models may be, to save space.
    """
    for name, digest in record.files.items():
        file = folder / name
        if file.exists() and not (file.is_file() and hash_file(file) == digest):
            yield file


def _list_files(folder: Path) -> Iterator[Path]:
    """The files of predictions, and those of the model where the run has one."""
    yield from (file for name in (PREDICTIONS_FILE, TOKENS_FILE) if (file := folder / name).is_file())
    yield from sorted(file for file in (folder / MODEL_FOLDER).rglob("*") if file.is_file())
