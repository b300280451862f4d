"""Reads the two files that fairseq-preprocess writes of a text file: `.idx`, where rows begin, and `.bin`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

import numpy as np

from headstart.data.lines import require_existing_file
from headstart.errors import DataError
from headstart.os_faults import reading

#: How index files begin: of mapped data sets, of the older ones, and of compressed ones.
MAPPED: Final = b"MMIDIDX\x00\x00"
OLDER: Final = b"TNTIDX\x00\x00"
_COMPRESSED: Final = b"HUFFIDX\x00\x00"
VERSION: Final = 1
#: What numbers are by the code in the index; those with a fraction are no ids.
_NAMES: Final = {1: "<u1", 2: "<i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2", 9: "<u4", 10: "<u8"}
DTYPES: Final[dict[int, np.dtype]] = {code: np.dtype(name) for code, name in _NAMES.items()}
_EXPECTED: Final = "an index and data of one run of fairseq-preprocess"
_COPY: Final = "copy both files again"
#: Ids of the longest row that is read: as a list and as pieces they take some hundred bytes each.
MOST_IN_ROW: Final = 1 << 24


@dataclass(frozen=True)
class BinarisedRows:
    """Rows of ids: `starts` and `sizes` [N] in numbers of `values`; `shift` was added to what was stored."""

    values: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    shift: int = 0

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[np.ndarray]:
        """The ids of each row, int64 [T]."""
        for start, size in zip(self.starts.tolist(), self.sizes.tolist(), strict=True):
            yield self.values[start : start + size].astype(np.int64) - self.shift


def read_binarised(prefix: Path) -> BinarisedRows:
    """The rows of `PREFIX.idx` and `PREFIX.bin`, in either of fairseq's formats; the data stay on disk.

    Raises:
        DataError: a file is absent, cut, of another format, or its index points outside the data.
    """
    index, data = add_suffix(prefix, ".idx"), add_suffix(prefix, ".bin")
    for path in (index, data):
        require_existing_file(path, _EXPECTED, _COPY)
    with reading(index), index.open("rb") as stream:
        magic = stream.read(len(MAPPED))
        if magic == MAPPED:
            return _read_mapped(_Index(stream, index), data)
        if magic.startswith(OLDER):
            stream.seek(len(OLDER))
            return _read_older(_Index(stream, index), data)
    if magic == _COMPRESSED:
        raise DataError(
            "compressed with a Huffman code (HUFFIDX)",
            where=str(index),
            expected="data of --dataset-impl mmap or cached",
            fix="run fairseq-preprocess again with --dataset-impl mmap",
        )
    raise DataError(
        f"no index of fairseq: begins with {magic!r}", where=str(index), expected=_EXPECTED, fix=_COPY
    )


def add_suffix(prefix: Path, suffix: str) -> Path:
    """The file of that prefix, which may hold dots itself."""
    return prefix.with_name(prefix.name + suffix)


@dataclass(frozen=True)
class _Index:
    """An index file that is read on; what is missing from it is its error."""

    stream: BinaryIO
    path: Path

    def read(self, dtype: str, count: int) -> np.ndarray:
        """The next `count` numbers."""
        kind = np.dtype(dtype)
        left = self.path.stat().st_size - self.stream.tell()
        # Before anything is allocated: a count of a damaged file is any number.
        if count * kind.itemsize > left:
            self.refuse(f"is cut: {count:,} numbers of {kind.itemsize} bytes expected, {left:,} bytes left")
        return np.frombuffer(self.stream.read(count * kind.itemsize), kind)

    def read_number(self, dtype: str) -> int:
        """The next number alone."""
        return int(self.read(dtype, 1)[0])

    def read_dtype(self, dtype: str) -> np.dtype:
        """What the data's numbers are, behind the version of the format."""
        if (version := self.read_number("<u8")) != VERSION:
            self.refuse(f"version {version} of the format; {VERSION} expected")
        code = self.read_number(dtype)
        if code not in DTYPES:
            self.refuse(f"numbers of kind {code}, which are no ids")
        return DTYPES[code]

    def check_end(self) -> None:
        """See that nothing follows: no writer leaves more."""
        if self.stream.read(1):
            self.refuse("goes on behind its last row")

    def refuse(self, what: str) -> NoReturn:
        """Say what is wrong with the file."""
        raise DataError(what, where=str(self.path), expected=_EXPECTED, fix=_COPY)


def _read_mapped(index: _Index, data: Path) -> BinarisedRows:
    dtype = index.read_dtype("<u1")
    count = index.read_number("<u8")
    sizes = index.read("<i4", count).astype(np.int64)
    places = index.read("<i8", count)
    if (places % dtype.itemsize).any():
        index.refuse(f"a row that begins within a number of {dtype.itemsize} bytes")
    return _check(BinarisedRows(_map(data, dtype), places // dtype.itemsize, sizes), index, data)


def _read_older(index: _Index, data: Path) -> BinarisedRows:
    dtype = index.read_dtype("<u8")
    if (size := index.read_number("<u8")) != dtype.itemsize:
        index.refuse(f"numbers of {size} bytes; {dtype.itemsize} expected of their kind")
    count, dimensions = index.read_number("<u8"), index.read_number("<u8")
    shape_places = index.read("<i8", count + 1)
    places = index.read("<i8", count + 1)
    if dimensions != count or not np.array_equal(shape_places, np.arange(count + 1)):
        index.refuse("rows of several dimensions")
    sizes = index.read("<i8", count)
    # Its writer adds 1 to every id, as Lua counts from there.
    return _check(BinarisedRows(_map(data, dtype), places[:-1], sizes, shift=1), index, data)


def _map(data: Path, dtype: np.dtype) -> np.ndarray:
    count = data.stat().st_size // dtype.itemsize
    return np.memmap(data, dtype, "r", shape=(count,)) if count else np.empty(0, dtype)


def _check(rows: BinarisedRows, index: _Index, data: Path) -> BinarisedRows:
    """See that all rows lie within the data, and are all of them."""
    index.check_end()
    starts, sizes, length = rows.starts, rows.sizes, len(rows.values)
    # Written so that no sum is too large for the numbers it is made of.
    outside = (starts < 0) | (sizes < 0) | (starts > length) | (sizes > length - np.clip(starts, 0, length))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        index.refuse(
            f"row {row + 1} has {int(sizes[row]):,} numbers from number {int(starts[row]):,} on, and "
            f"{data.name} holds {length:,}"
        )
    _check_whole(rows, index, data)
    return rows


def _check_whole(rows: BinarisedRows, index: _Index, data: Path) -> None:
    """See that the rows stand one after the other and leave nothing, as every writer leaves them.

    Else a part of the texts, or texts of another run, would be taken for all.
    """
    starts, sizes, length = rows.starts, rows.sizes, len(rows.values)
    total, left = int(sizes.sum()), data.stat().st_size % rows.values.itemsize
    if total != length or left:
        more = " and a part of one" if left else ""
        index.refuse(f"rows of {total:,} numbers in all, and {data.name} holds {length:,}{more}")
    if (moved := starts != np.cumsum(sizes) - sizes).any():
        row = int(np.flatnonzero(moved)[0])
        index.refuse(f"row {row + 1} begins at number {int(starts[row]):,}, not where the one before it ends")
    if len(sizes) and (longest := int(sizes.max())) > MOST_IN_ROW:
        row = int(sizes.argmax())
        index.refuse(f"row {row + 1} has {longest:,} numbers; at most {MOST_IN_ROW:,} can be read")
