"""Files of texts in every format, bytes broken, and folders of oddly named ones, as they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from data_files import WHOLE, write_csv
from fuzzing import own_folder, run_to_end
from headstart.data.formats import read_cells
from odd_values import mutated_bytes, scalars, texts, values, write_json

#: Of JSON in a file of texts.
MOST_DEPTH = 200_000


def read_file(name: str, content: bytes, separator: str = ",") -> None:
    """Read all rows of a file of this content."""
    with own_folder() as folder:
        (folder / name).write_bytes(content)
        run_to_end(read_all, folder / name, separator, folder=folder)


def read_all(path: Path, separator: str = ",") -> int:
    """How many rows there are."""
    return sum(1 for _ in read_cells(path, separator=separator))


@given(st.data(), st.sampled_from(sorted(WHOLE)))
def test_broken_bytes(data: st.DataObject, suffix: str) -> None:
    read_file(f"file{suffix}", data.draw(mutated_bytes(WHOLE[suffix])))


@given(st.sampled_from(sorted(WHOLE)), st.binary(max_size=64))
def test_any_bytes(suffix: str, content: bytes) -> None:
    read_file(f"file{suffix}", content)


@given(st.lists(st.lists(texts(), max_size=4), max_size=4), st.sampled_from((",", ";", "\t", "|", "x")))
def test_odd_cells(rows: list[list[str]], separator: str) -> None:
    read_file("file.csv", write_csv(rows, separator), separator)


@given(st.lists(values(), max_size=4), st.booleans())
def test_odd_json(rows: list[Any], is_list: bool) -> None:
    text = write_json(rows) if is_list else "\n".join(map(write_json, rows))
    read_file("file.json", text.encode("utf-8", "surrogatepass"))


@given(st.integers(1, MOST_DEPTH), st.sampled_from(('[{"a":', '{"a":', "[")))
def test_deep_json(depth: int, opening: str) -> None:
    read_file("file.jsonl", (opening * depth).encode())


@given(
    st.dictionaries(st.sampled_from(("train", "x.csv", "valid.jsonl", "z.bin", ".hidden", "a b")), scalars())
)
def test_odd_folders(entries: dict[str, Any]) -> None:
    with own_folder() as folder:
        for name, content in entries.items():
            if content is None:
                (folder / name).mkdir()
            elif content is True:
                (folder / name).symlink_to(folder / name)
            else:
                (folder / name).write_text(str(content)[:50], encoding="utf-8")
        run_to_end(read_all, folder)
