"""fairseq's index files: both formats give the ids that were written, and damaged ones one error."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairseq_files import write_mapped, write_older
from headstart.data.fairseq.binarised import MOST_IN_ROW, read_binarised
from headstart.data.fairseq.dictionary import make_dictionary
from headstart.data.fairseq.writing import write_binarised
from headstart.errors import DataError

ROWS: tuple[list[int], ...] = ([5, 4, 7, 2], [2], [300, 2], [])


def _read(prefix: Path) -> list[list[int]]:
    return [row.tolist() for row in read_binarised(prefix)]


@pytest.mark.parametrize(
    ("code", "kind"), [(3, "<i2"), (4, "<i4"), (5, "<i8"), (8, "<u2"), (9, "<u4"), (10, "<u8")]
)
def test_mapped_rows_are_read_in_each_kind_of_number(tmp_path: Path, code: int, kind: str) -> None:
    write_mapped(tmp_path / "train", ROWS, code, kind)
    assert _read(tmp_path / "train") == [*map(list, ROWS)]


@pytest.mark.parametrize(("code", "kind"), [(3, "<i2"), (4, "<i4"), (5, "<i8")])
def test_older_rows_lose_the_one_that_was_added(tmp_path: Path, code: int, kind: str) -> None:
    write_older(tmp_path / "train", ROWS, code, kind)
    assert _read(tmp_path / "train") == [*map(list, ROWS)]


@pytest.mark.parametrize("write", [write_mapped, write_older])
def test_a_file_without_rows_is_read(tmp_path: Path, write: object) -> None:
    write(tmp_path / "train", [])  # type: ignore[operator]
    assert _read(tmp_path / "train") == []


def test_what_is_written_is_fairseqs_to_the_byte_and_read_again(tmp_path: Path) -> None:
    dictionary = make_dictionary(["<s>", "<pad>", "</s>", "<unk>", *map(str, range(60)), "<mask>"])
    counts = write_binarised(tmp_path / "ours", [[5, 6, 5], [], [9]], dictionary)
    write_mapped(tmp_path / "theirs", [[5, 6, 5, 2], [2], [9, 2]])
    for suffix in (".idx", ".bin"):
        assert (tmp_path / f"ours{suffix}").read_bytes() == (tmp_path / f"theirs{suffix}").read_bytes()
    assert counts == {5: 2, 6: 1, 9: 1}
    wide = make_dictionary([*dictionary.symbols, *(f"w{i}" for i in range(70_000))])
    write_binarised(tmp_path / "wide", [[70_001]], wide)
    assert _read(tmp_path / "wide") == [[70_001, 2]]


def _pack_mapped(sizes: list[int], places: list[int], *, version: int = 1, code: int = 8) -> bytes:
    """An index of rows of two-byte ids, that says what it is told to."""
    head = b"MMIDIDX\x00\x00" + struct.pack("<QBQ", version, code, len(sizes))
    return head + np.array(sizes, "<i4").tobytes() + np.array(places, "<i8").tobytes()


@pytest.mark.parametrize(
    ("index", "what"),
    [
        (_pack_mapped([4, 1], [0, 8])[:-3], "is cut: 2 numbers of 8 bytes expected"),
        (_pack_mapped([4], [0])[:20], "is cut"),
        (
            b"MMIDIDX\x00\x00" + struct.pack("<QBQ", 1, 8, 1 << 62),
            "is cut: 4,611,686,018,427,387,904 numbers",
        ),
        (_pack_mapped([4, 9], [0, 8]), "row 2 has 9 numbers from number 4 on, and train.bin holds 7"),
        (_pack_mapped([-1], [0]), "row 1 has -1 numbers"),
        (_pack_mapped([1], [-2]), "row 1 has 1 numbers from number -1 on"),
        (_pack_mapped([1], [1 << 62]), "row 1 has 1 numbers from number 2,305,843,009,213,693,952 on"),
        (_pack_mapped([1], [3]), "begins within a number of 2 bytes"),
        (_pack_mapped([1], [0], version=2), "version 2 of the format; 1 expected"),
        (_pack_mapped([1], [0], code=99), "numbers of kind 99"),
        (_pack_mapped([1], [0], code=7), "numbers of kind 7"),
        (_pack_mapped([4, 1, 2], [0, 8, 10]) + b"\0", "goes on behind its last row"),
        (_pack_mapped([4, 1], [0, 8]), "rows of 5 numbers in all, and train.bin holds 7"),
        (_pack_mapped([4, 1, 2], [0, 8, 8]), "row 3 begins at number 4, not where the one before it ends"),
        (_pack_mapped([4, 1, 2], [0, 8, 10], code=2), "rows of 7 numbers in all, and train.bin holds 14"),
        (b"HUFFIDX\x00\x00rest", "Huffman code"),
        (b"plain text", "no index of fairseq: begins with b'plain tex'"),
        (b"", "no index of fairseq: begins with b''"),
        (b"TNTIDX\x00\x00" + struct.pack("<QQQQQ", 1, 4, 8, 1, 1), "numbers of 8 bytes; 4 expected"),
        (b"TNTIDX\x00\x00" + struct.pack("<QQQQQ", 1, 4, 4, 1, 2) + bytes(32), "rows of several dimensions"),
        (b"TNTIDX\x00\x00" + struct.pack("<QQQQQ", 1, 4, 4, 1 << 61, 1), "is cut"),
    ],
)
def test_damaged_indexes_are_one_error(tmp_path: Path, index: bytes, what: str) -> None:
    write_mapped(tmp_path / "train", ROWS)
    (tmp_path / "train.idx").write_bytes(index)
    with pytest.raises(DataError) as caught:
        read_binarised(tmp_path / "train")
    assert what in caught.value.got
    assert caught.value.where == str(tmp_path / "train.idx")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), write=st.sampled_from([write_mapped, write_older]))
def test_any_damage_is_rows_or_one_error(tmp_path: Path, data: st.DataObject, write: object) -> None:
    write(tmp_path / "train", ROWS)  # type: ignore[operator]
    file = tmp_path / data.draw(st.sampled_from(["train.idx", "train.bin"]))
    content = bytearray(file.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        rows = _read(tmp_path / "train")
    except DataError:
        return
    assert sum(map(len, rows)) < 10_000


@pytest.mark.parametrize("suffix", [".idx", ".bin"])
@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: None, "no such file"),
        (os.mkfifo, "is a named pipe"),
        (Path.mkdir, "is a folder"),
        (lambda path: path.symlink_to(path.name), "is a link that points back to itself"),
        (lambda path: path.symlink_to("nowhere"), "is a dangling link"),
    ],
)
def test_absent_files_are_named(tmp_path: Path, suffix: str, make: Callable[[Path], None], what: str) -> None:
    write_mapped(tmp_path / "train", ROWS)
    file = tmp_path / f"train{suffix}"
    file.unlink()
    make(file)
    with pytest.raises(DataError, match=what) as caught:
        read_binarised(tmp_path / "train")
    assert caught.value.where == str(file)


@pytest.mark.parametrize("write", [write_mapped, write_older])
@pytest.mark.parametrize(
    ("more", "what"), [(b"\0", "holds 7 and a part of one"), (bytes(8), r"holds (9|11)")]
)
def test_data_that_no_row_reads_are_refused(tmp_path: Path, write: object, more: bytes, what: str) -> None:
    """Else an index of other texts would show a part of these."""
    write(tmp_path / "train", ROWS)  # type: ignore[operator]
    with (tmp_path / "train.bin").open("ab") as stream:
        stream.write(more)
    with pytest.raises(DataError, match=what):
        read_binarised(tmp_path / "train")


def test_a_row_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    size = MOST_IN_ROW + 1
    (tmp_path / "train.idx").write_bytes(_pack_mapped([size], [0]))
    with (tmp_path / "train.bin").open("wb") as stream:
        stream.truncate(2 * size)  # holes: it takes no room
    with pytest.raises(DataError, match=r"row 1 has 16,777,217 numbers; at most 16,777,216"):
        read_binarised(tmp_path / "train")


def test_rows_over_one_another_are_refused(tmp_path: Path) -> None:
    """A small index would make texts of any length of them."""
    write_mapped(tmp_path / "train", [[5, 6, 2], [5, 6, 2]])
    index = tmp_path / "train.idx"
    index.write_bytes(index.read_bytes()[:-8] + struct.pack("<q", 0))
    (tmp_path / "train.bin").write_bytes((tmp_path / "train.bin").read_bytes()[:6])
    with pytest.raises(DataError, match=r"rows of 6 numbers in all, and train\.bin holds 3"):
        read_binarised(tmp_path / "train")
