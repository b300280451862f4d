"""Holds the files of a replay against those of a run: by SHA-256, and where these differ number by number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from headstart.files import hash_file
from headstart.records import RunRecord
from headstart.store.digests import MODEL_FOLDER, add_digests
from headstart.store.layout import StudyLayout
from headstart.store.model_notes import find_run_of_model

FileKind = Literal["predictions", "weights", "model"]
_WEIGHTS: Final = (".safetensors", ".bin", ".npz", ".npy")


@dataclass(frozen=True)
class FileMatch:
    """A file of the run: its SHA-256 as recorded, and of the replay; None where it left no such file.

    `kind` is `model` for what else a model is saved with: its configuration, its tokenizer. These hold no
    weights, and may name places and modes of the process that wrote them: no verdict depends on them.
    """

    name: str
    kind: FileKind
    recorded: str
    replayed: str | None

    @property
    def is_same(self) -> bool:
        """Whether they are equal to the bit."""
        return self.recorded == self.replayed

    @property
    def counts(self) -> bool:
        """Whether the verdict depends on it."""
        return self.kind != "model"


@dataclass(frozen=True)
class ColumnDifference:
    """A column of predictions that differs in `rows` of `n_rows`; `largest` is the largest difference of its
    numbers, None where it holds none."""

    file: str
    column: str
    rows: int
    n_rows: int
    largest: float | None = None


def match_files(
    layout: StudyLayout, record: RunRecord, replayed: RunRecord, notes: list[str]
) -> Iterator[FileMatch]:
    """Each file that the run left, beside the replay's; `notes` takes what is not known."""
    files = record.files
    if record.digest is None:
        notes.append("the record is of a version without digests: its files are taken as they lie there")
        files = add_digests(record, layout.get_run_folder(record.key)).files
    if not files:
        notes.append("the run's files are not on record and were deleted: only its figures are compared")
    elif not any(_find_kind(name) == "weights" for name in files):
        notes.append("the run left no model: its weights are held to what they predict")
    for name, digest in files.items():
        yield FileMatch(name, _find_kind(name), digest, replayed.files.get(name))


def _find_kind(name: str) -> FileKind:
    if not name.startswith(f"{MODEL_FOLDER}/"):
        return "predictions"
    return "weights" if Path(name).suffix in _WEIGHTS else "model"


def list_column_differences(
    layout: StudyLayout,
    record: RunRecord,
    replay: StudyLayout,
    files: Sequence[FileMatch],
    notes: list[str],
) -> Iterator[ColumnDifference]:
    """The columns of predictions that differ, of files that differ; the rows are of the same examples."""
    for file in _select_differing(files, "predictions"):
        former = layout.get_run_folder(record.key) / file.name
        if not _is_as_recorded(former, file):
            notes.append(
                f"{file.name} of the run is not there as it was: by how much it differs is not known"
            )
            continue
        try:
            then, now = (
                pq.read_table(one) for one in (former, replay.get_run_folder(record.key) / file.name)
            )
        except (OSError, pa.ArrowException) as error:
            notes.append(f"{file.name} cannot be read: {error}")
            continue
        differing = list(_compare_tables(file.name, then, now))
        if not differing:
            notes.append(f"{file.name} holds the same values in other bytes: another pyarrow wrote it")
        yield from differing


def _select_differing(files: Sequence[FileMatch], kind: FileKind) -> list[FileMatch]:
    return [file for file in files if file.kind == kind and not file.is_same and file.replayed is not None]


def _is_as_recorded(path: Path, file: FileMatch) -> bool:
    try:
        return path.is_file() and hash_file(path) == file.recorded
    except OSError:
        return False


def _compare_tables(name: str, then: Any, now: Any) -> Iterator[ColumnDifference]:
    n_rows = then.num_rows
    for column in dict.fromkeys((*then.column_names, *now.column_names)):
        is_in_both = column in then.column_names and column in now.column_names
        if not is_in_both or n_rows != now.num_rows:
            yield ColumnDifference(name, column, max(n_rows, now.num_rows), n_rows)
            continue
        rows, largest = _compare_columns(then[column], now[column])
        if rows:
            yield ColumnDifference(name, column, rows, n_rows, largest)


def _compare_columns(then: Any, now: Any) -> tuple[int, float | None]:
    """In how many rows they differ, and the largest difference of numbers."""
    if not (pa.types.is_floating(then.type) and pa.types.is_floating(now.type)):
        pairs = zip(then.to_pylist(), now.to_pylist(), strict=True)
        return sum(one != other for one, other in pairs), None
    one, other = then.to_numpy(), now.to_numpy()
    is_other = (one != other) & ~(np.isnan(one) & np.isnan(other))
    return int(is_other.sum()), _find_largest(one, other)


def _find_largest(one: np.ndarray, other: np.ndarray) -> float | None:
    distances = np.abs(one.astype(np.float64) - other.astype(np.float64))
    known = distances[~np.isnan(distances)]
    return float(known.max()) if known.size else None


def compare_weights(
    layout: StudyLayout,
    record: RunRecord,
    replay: StudyLayout,
    files: Sequence[FileMatch],
    notes: list[str],
) -> float | None:
    """The largest difference of a weight, of files of weights that differ; None where it is not known."""
    differing = _select_differing(files, "weights")
    folder = _find_model(layout, record) if differing else None
    largest: list[float] = []
    for file in differing:
        inner = Path(file.name).relative_to(MODEL_FOLDER)
        if folder is None or not _is_as_recorded(folder / inner, file):
            notes.append(f"{file.name} of the run was removed: by how much weights differ is not known")
            continue
        found = _compare_tensors(folder / inner, replay.run_model_folder(record.key) / inner)
        largest += [] if found is None else [found]
    return max(largest, default=None)


def _find_model(layout: StudyLayout, record: RunRecord) -> Path | None:
    """The folder of the run's model: its own, or its arm's where that is of this run."""
    own, of_arm = layout.run_model_folder(record.key), layout.get_arm_model_folder(record.arm)
    if own.is_dir():
        return own
    return of_arm if find_run_of_model(of_arm) == record.key else None


def _compare_tensors(then: Path, now: Path) -> float | None:
    """The largest difference of two files of safetensors; None of other formats, or other shapes."""
    try:
        with safe_open(then, framework="np") as one, safe_open(now, framework="np") as other:
            names = set(one.keys()) & set(other.keys())
            found = [_find_largest(one.get_tensor(name), other.get_tensor(name)) for name in sorted(names)]
    except (OSError, SafetensorError, TypeError, ValueError):  # numpy knows no bfloat16
        return None
    return max((value for value in found if value is not None), default=None)
