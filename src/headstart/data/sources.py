"""Loads the rows that a study's `data` section names; `checks` validates them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from headstart.config.study import Data
from headstart.config.traits import TaskName
from headstart.data.assets import fetch_data
from headstart.data.corpus import PARTS, Part
from headstart.data.fairseq.folder import open_binarised_folder
from headstart.data.folders import PART_NAMES, find_parts
from headstart.data.formats import SUFFIXES, Cells, has_parallel, read_cells, read_files
from headstart.data.groups import choose_group_column
from headstart.data.labels.base import LabelType
from headstart.data.labels.registry import get_label_type
from headstart.data.rows import ReadRows, read_rows
from headstart.errors import DataError, MissingExtraError
from headstart.stages import tell_stage


def read_parts(data: Data, task: TaskName) -> dict[Part, ReadRows]:
    """The rows of each part that the study names, with what was left out of them.

    Raises:
        DataError: a file is absent or unreadable, a column is not in it, or a row of it cannot be read.
    """
    label_type = get_label_type(task)
    sources = _open_sources(data, label_type)
    tested: Part = "test" if "test" in sources else "train"  # which the test is split off
    column = choose_group_column(data, label_type)
    # The others' groups are only compared with the test's: there the column may be absent, whoever names it.
    spared = None if column is None else replace(column, key=None)
    parts: dict[Part, ReadRows] = {}
    for part, cells in sources.items():
        tell_stage(f"reading {_name_read(data, part)}")
        parts[part] = read_rows(cells, data, label_type, column if part == tested else spared)
    for part, read in parts.items():
        if not read.rows:
            raise DataError("no rows", where=_name_source(data, part), expected="texts, one per row")
    return parts


def _name_source(data: Data, part: Part) -> str:
    given = {"train": data.train or data.path or data.fairseq, "valid": data.valid, "test": data.test}
    return given[part] or f"data, part {part}"


def _name_read(data: Data, part: Part) -> str:
    """What a part is read from, in few words."""
    own = {"train": data.train, "valid": data.valid, "test": data.test}[part]
    return own or f"{data.path or data.hub or data.asset or data.fairseq}, part {part}"


def _open_sources(data: Data, label_type: LabelType) -> dict[Part, Iterator[Cells]]:
    """The cells of each part that the study names."""
    if data.hub is not None:
        return _load_hub(data)
    if data.asset is not None:
        return {"train": fetch_data(data.asset)}
    if data.fairseq is not None:
        return open_binarised_folder(Path(data.fairseq))
    if data.path is not None and (files := find_parts(Path(data.path), SUFFIXES)):
        return {part: read_files(paths, data.separator) for part, paths in files.items()}
    given = {"train": data.train or data.path, "valid": data.valid, "test": data.test}
    paths = {part: Path(path) for part in PARTS if (path := given[part]) is not None}
    tested = "test" if "test" in paths else "train"
    return {
        part: read_cells(
            path, _list_all_columns(path, data, label_type, is_tested=part == tested), data.separator
        )
        for part, path in paths.items()
    }


def _list_all_columns(path: Path, data: Data, label_type: LabelType, *, is_tested: bool) -> tuple[str, ...]:
    """Those of texts, labels and groups: each has its file where files stand in parallel."""
    columns = [*label_type.list_columns(data)]
    columns += [] if data.split.group is None else [data.split.group]
    column = choose_group_column(data, label_type)
    is_named = column is not None and column.key is not None and is_tested
    if column is not None and (is_named or has_parallel(path, column.name)):
        columns.append(column.name)
    return tuple(dict.fromkeys(columns))


def _load_hub(data: Data) -> dict[Part, Iterator[Cells]]:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("datasets", "hub", "data.hub") from error
    try:
        loaded = datasets.load_dataset(data.hub, data.subset, revision=data.revision)
    except RuntimeError as error:  # "Dataset scripts are no longer supported": from release 4 none is run
        raise DataError(
            (str(error).splitlines() or ["it cannot be loaded"])[0],
            where=f"data.hub: {data.hub}",
            expected="a data set of data files: a script is never run",
            fix="use its Parquet conversion: data.revision: refs/convert/parquet",
        ) from error
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"cannot be loaded: {(str(error).splitlines() or [type(error).__name__])[0]}",
            where=f"data.hub: {data.hub}",
            expected="the id of a data set on the hub (HF_HUB_OFFLINE unset), or a folder that holds one",
        ) from error
    names = {part: next((n for n in known if n in loaded), None) for part, known in PART_NAMES.items()}
    if names["train"] is None:
        raise DataError(
            f"no part 'train' among {', '.join(loaded)}",
            where=f"data.hub: {data.hub}",
            expected="a part train",
        )
    return {part: _read_hub_cells(loaded[name], f"{data.hub}/{name}") for part, name in names.items() if name}


def _read_hub_cells(table: Any, name: str) -> Iterator[Cells]:
    """Rows with class indices turned into the names that the data set gives them."""
    classes = {column: feature for column, feature in table.features.items() if hasattr(feature, "int2str")}
    for i, cells in enumerate(table):
        names = {
            column: feature.int2str(cells[column])
            for column, feature in classes.items()
            if cells[column] is not None and cells[column] >= 0
        }
        yield f"{name} row {i + 1}", {**cells, **names}
