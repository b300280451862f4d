"""Folders of fairseq's binarised data with damaged files: rows, or one error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairseq_files import write_mapped, write_older
from fuzzing import damage, own_folder, run_to_end
from headstart.data.fairseq.folder import open_binarised_folder

#: Files of a folder, of which one is damaged.
FILES = ("input0/dict.txt", "input0/train.idx", "input0/train.bin", "label/dict.txt", "label/train.idx")
DICTIONARIES = ("▁a 3\nb 2\n", "12 3\n7 1\n", "a@@ 2\nb 1\n", "a 1\n<s> 2 #fairseq:overwrite\n")


@st.composite
def damages(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]], int]:
    """A file, bytes of it that are changed, and how many of its last ones are cut off."""
    changes = st.tuples(st.integers(0, 120), st.integers(0, 255))
    return draw(st.sampled_from(FILES)), draw(st.lists(changes, max_size=5)), draw(st.integers(0, 40))


def read_all(folder: Path) -> list[Any]:
    """Every row of every part."""
    return [row for rows in open_binarised_folder(folder).values() for row in rows]


@given(damages(), st.sampled_from(DICTIONARIES), st.booleans())
def test_damaged_folders(damaged: tuple[str, list[tuple[int, int]], int], lines: str, is_older: bool) -> None:
    name, changes, cut = damaged
    write = write_older if is_older else write_mapped
    with own_folder() as folder:
        for column, dictionary, rows in (
            ("input0", lines, [[4, 5, 2], [3, 2], [5, 2]]),
            ("label", "x 1\ny 1\n", [[4, 2], [5, 2], [4, 2]]),
        ):
            write(folder / column / "train", rows)
            (folder / column / "dict.txt").write_text(dictionary, encoding="utf-8")
        (folder / name).write_bytes(damage((folder / name).read_bytes(), changes, cut))
        rows_read = run_to_end(read_all, folder, folder=folder)
        assert rows_read is None or all({"text", "label"} == cells.keys() for _, cells in rows_read)
