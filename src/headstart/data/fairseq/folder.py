"""Reads the rows of a folder for fairseq's sentence prediction: `input0`, `input1` and `label`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from headstart.data.corpus import PARTS, Part
from headstart.data.fairseq.binarised import add_suffix, read_binarised
from headstart.data.fairseq.decoding import UNKNOWN_CHARACTER, Join, choose_join, list_pieces
from headstart.data.fairseq.dictionary import UNK, Dictionary, read_dictionary
from headstart.data.formats import Cells
from headstart.data.lines import read_lines
from headstart.errors import DataError

#: The sub-folder of single texts, or first ones; of second ones; of labels, each with its dictionary.
FIRST, SECOND, LABEL = "input0", "input1", "label"
_COLUMNS: Final = (FIRST, SECOND, LABEL)
DICTIONARY: Final = "dict.txt"
#: Where a value stands, and the value.
Located = tuple[str, str]


@dataclass(frozen=True)
class _TextColumn:
    """The texts in a sub-folder; its dictionary, which may have 250,000 lines, is read once for all parts."""

    folder: Path

    @cached_property
    def _dictionary(self) -> Dictionary:
        return read_dictionary(self.folder / DICTIONARY)

    @cached_property
    def _join(self) -> Join:
        parent = self.folder.parent
        return choose_join(self._dictionary, (parent, self.folder, parent.parent))

    def read(self, part: str) -> Iterator[Located]:
        """The texts of a part with their places."""
        join = self._join
        for where, pieces in _read_pieces(self.folder, part, self._dictionary):
            yield where, join(pieces)


def is_binarised_folder(folder: Path) -> bool:
    """Whether it is laid out as fairseq's sentence prediction wants its data."""
    # A broken link counts: what is opened then says so.
    return all(map(os.path.lexists, (folder / FIRST / DICTIONARY, folder / LABEL)))


def open_binarised_folder(folder: Path) -> dict[Part, Iterator[Cells]]:
    """The rows of each part that is there, with the columns text and label; input0 and input1 of pairs.

    Raises:
        DataError: no such folder, or a file of it is absent, damaged or of another dictionary.
    """
    if not is_binarised_folder(folder):
        other = "not a folder" if os.path.lexists(folder) else "no such folder"
        raise DataError(
            "no binarised data" if folder.is_dir() else other,
            where=str(folder),
            expected=f"{FIRST}/{DICTIONARY}, {FIRST}/train.idx, {FIRST}/train.bin and {LABEL}/, as "
            "fairseq-preprocess writes them",
        )
    texts = _open_columns(folder)
    parts = {part: _read_part(folder, part, texts, labelled=True) for part in list_parts(folder)}
    if "train" not in parts:
        raise DataError("no training examples", where=str(folder / FIRST), expected="train.idx and train.bin")
    return parts


def list_parts(folder: Path) -> tuple[Part, ...]:
    """The parts of which a column has a file, damaged ones too.

    One whose texts or labels alone are lost would else be split off train without a word.
    """
    return tuple(part for part in PARTS if any(_has_files(folder / name, part) for name in _COLUMNS))


def open_index(index: Path) -> Iterator[Cells]:
    """The rows of one index file: with labels, and second texts, where it is a part of such a folder.

    Raises:
        DataError: as `open_binarised_folder`.
    """
    if index.parent.name == FIRST and is_binarised_folder(index.parent.parent):
        folder = index.parent.parent
        labelled = _has_files(folder / LABEL, index.stem)
        yield from _read_part(folder, index.stem, _open_columns(folder), labelled=labelled)
        return
    for where, text in _TextColumn(index.parent).read(index.stem):
        yield where, {"text": text}


def has_pairs(folder: Path) -> bool:
    """Whether each row holds two texts."""
    return os.path.lexists(folder / SECOND)


def _open_columns(folder: Path) -> dict[str, _TextColumn]:
    names = (FIRST, SECOND) if has_pairs(folder) else (FIRST,)
    return {name: _TextColumn(folder / name) for name in names}


def _has_files(column: Path, part: str) -> bool:
    """Whether something of a part is in a column's sub-folder, a file that cannot be read too."""
    return _has_shard(column / part) or os.path.lexists(column / f"{part}.label")


def _has_shard(prefix: Path) -> bool:
    return any(os.path.lexists(add_suffix(prefix, suffix)) for suffix in (".idx", ".bin"))


def _list_shards(folder: Path, part: str) -> Iterator[Path]:
    """The prefixes of a part's files: `train`, and of one that was written in pieces `train1` and so on.

    To the last that has a file: fairseq ends before the first that has none, and never says so.
    """
    yield folder / part
    pattern = re.compile(rf"{re.escape(part)}([1-9][0-9]{{0,8}})\.(idx|bin)")
    numbers = [int(found[1]) for path in folder.iterdir() if (found := pattern.fullmatch(path.name))]
    for number in range(1, max(numbers, default=0) + 1):
        yield folder / f"{part}{number}"


def _read_part(
    folder: Path, part: str, texts: Mapping[str, _TextColumn], *, labelled: bool
) -> Iterator[Cells]:
    columns = {name: column.read(part) for name, column in texts.items()}
    if labelled:
        columns[LABEL] = _read_labels(folder, part)
    for values in _join_columns(columns, folder, part):
        cells = {name: text for name, (_, text) in zip(columns, values, strict=True)}
        if SECOND not in cells:
            cells = {"text": cells.pop(FIRST), **cells}
        yield values[0][0], cells


def _join_columns(columns: dict[str, Iterator[Located]], folder: Path, part: str) -> Iterator[list[Located]]:
    """The values of each row with their places; all columns have as many."""
    count = 0
    while True:
        values = [next(column, None) for column in columns.values()]
        given = [value for value in values if value is not None]
        if not given:
            return
        if len(given) < len(values):
            short = next(name for name, value in zip(columns, values, strict=True) if value is None)
            raise DataError(
                f"{short} has {count} rows of part {part}, and another column more",
                where=str(folder),
                expected=f"as many rows in {', '.join(columns)}",
                fix="run fairseq-preprocess again on files with as many lines",
            )
        yield given
        count += 1


def _read_pieces(folder: Path, part: str, dictionary: Dictionary) -> Iterator[tuple[str, list[str]]]:
    for shard in _list_shards(folder, part):
        for i, ids in enumerate(read_binarised(shard), start=1):
            where = f"{add_suffix(shard, '.idx')} row {i}"
            yield where, list_pieces(ids.tolist(), dictionary, where)


def _read_labels(folder: Path, part: str) -> Iterator[Located]:
    """The names of classes; where labels are numbers to be predicted, fairseq keeps them as lines of text."""
    text = folder / LABEL / f"{part}.label"
    if not _has_shard(folder / LABEL / part) and os.path.lexists(text):
        for i, line in enumerate(read_lines(text), start=1):
            yield f"{text}:{i}", line.strip()
        return
    dictionary = read_dictionary(folder / LABEL / DICTIONARY, with_mask=False)
    names = frozenset(dictionary.words)
    for where, pieces in _read_pieces(folder / LABEL, part, dictionary):
        if len(pieces) != 1:
            raise DataError(f"{len(pieces)} labels", where=where, expected="one label for each row")
        if pieces[0] not in names:
            raise _refuse_label(pieces[0], where)
        yield where, pieces[0]


def _refuse_label(piece: str, where: str) -> DataError:
    return DataError(
        f"the label is {UNK if piece == UNKNOWN_CHARACTER else piece}, a symbol of fairseq's own",
        where=where,
        expected=f"one of the labels in {LABEL}/{DICTIONARY}",
        fix=f"run fairseq-preprocess again, with --srcdict the {DICTIONARY} of train's labels",
    )
