"""Columns are added to a file of rows: same format out, a chunk at a time, whole or not at all."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_files import write_csv
from headstart.data.formats import Cells, read_cells
from headstart.data.tables import add_columns, check_formats
from headstart.errors import DataError, OutputError


def add_lengths(chunk: list[Cells]) -> list[dict[str, Any]]:
    return [{"length": len(cells["text"]), "words": cells["text"].split()} for _, cells in chunk]


FIELDS = (pa.field("length", pa.int64()), pa.field("words", pa.list_(pa.string())))


def convert(source: Path, target: Path) -> int:
    return add_columns(source, target, add_lengths, lambda: FIELDS)


@pytest.mark.parametrize(
    ("suffix", "content", "expected"),
    [
        (".csv", 'text,n\n"a, b",07\n', 'text,n,length,words\n"a, b",07,4,"a,|b"\n'),
        (".tsv", 'text\tn\n"a b\t7\n', 'text\tn\tlength\twords\n"a b\t7\t4\t"a|b\n'),
        (".jsonl", '{"text": "é"}\n', '{"text": "é", "length": 1, "words": ["é"]}\n'),
        (".json", '{"text": "é"}\n', '{"text": "é", "length": 1, "words": ["é"]}\n'),
        (".json", '\n[{"text": "é"}]', '[\n{"text": "é", "length": 1, "words": ["é"]}\n]\n'),
    ],
)
def test_format_stays(tmp_path: Path, suffix: str, content: str, expected: str) -> None:
    source = tmp_path / f"in{suffix}"
    source.write_text(content, encoding="utf-8")
    assert convert(source, tmp_path / f"out{suffix}") == 1
    assert (tmp_path / f"out{suffix}").read_text(encoding="utf-8") == expected


def test_parquet_keeps_its_types_and_gets_those_of_the_fields(tmp_path: Path) -> None:
    table = pa.table({"text": ["a b", "c"], "n": pa.array([1, None], pa.int16())})
    pq.write_table(table, tmp_path / "in.parquet")
    assert convert(tmp_path / "in.parquet", tmp_path / "out.parquet") == 2
    written = pq.read_table(tmp_path / "out.parquet")
    assert written.schema.equals(pa.schema([*table.schema, *FIELDS]))
    assert written["words"].to_pylist() == [["a", "b"], ["c"]]


def index_frames() -> list[pd.DataFrame]:
    plain = pd.DataFrame({"text": ["a", "b b", "c"], "n": pd.array([1, None, 2], dtype="Int64")})
    return [
        plain,
        plain.iloc[::2],
        plain.set_index(pd.Index([5, 3, 9], name="id")),
        plain.set_index(pd.Index(list("xyz"))),
        plain.set_index(pd.MultiIndex.from_tuples([(1, "a"), (1, "b"), (2, "a")], names=["k", "l"])),
        plain.set_index(pd.date_range("2020", "2022", 3, tz="Europe/Paris", name="day")),
        plain.assign(kind=pd.Categorical(["u", "v", "u"])),
    ]


@pytest.mark.parametrize("frame", index_frames())
def test_parquet_of_pandas_keeps_index_and_types(tmp_path: Path, frame: pd.DataFrame) -> None:
    frame.to_parquet(tmp_path / "in.parquet")
    convert(tmp_path / "in.parquet", tmp_path / "out.parquet")
    written = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(written.drop(columns=["length", "words"]), frame)
    assert written["length"].tolist() == [len(text) for text in frame["text"]]


def test_parquet_of_the_hub_keeps_its_classes(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    table = datasets.Dataset.from_dict({"text": ["a"], "label": [1]}, features=datasets.Features(features))
    table.to_parquet(str(tmp_path / "in.parquet"))
    convert(tmp_path / "in.parquet", tmp_path / "out.parquet")
    loaded = datasets.Dataset.from_parquet(str(tmp_path / "out.parquet"), cache_dir=str(tmp_path / "cache"))
    assert loaded.features["label"] == features["label"]
    assert loaded.features["length"].dtype == "int64"


def test_lists_of_json_may_come_in_chunks_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.data.tables.CHUNK", 1)
    for rows in ([], [{"text": "a"}, {"text": "b"}, {"text": "c"}]):
        (tmp_path / "in.json").write_text(json.dumps(rows), encoding="utf-8")
        assert convert(tmp_path / "in.json", tmp_path / "out.json") == len(rows)
        written = json.loads((tmp_path / "out.json").read_text("utf-8"))
        assert [row["text"] for row in written] == [row["text"] for row in rows]


def test_separator_is_that_of_both_files(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text;n\na, b;7\n", encoding="utf-8")
    add_columns(tmp_path / "in.csv", tmp_path / "out.csv", add_lengths, lambda: FIELDS, ";")
    assert (tmp_path / "out.csv").read_text("utf-8") == "text;n;length;words\na, b;7;4;a,|b\n"


def test_rows_are_read_a_chunk_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headstart.data.tables.CHUNK", 2)
    (tmp_path / "in.csv").write_text("text\na\nb\nc\n", encoding="utf-8")
    sizes: list[int] = []

    def make(chunk: list[Cells]) -> list[dict[str, Any]]:
        sizes.append(len(chunk))
        return add_lengths(chunk)

    assert add_columns(tmp_path / "in.csv", tmp_path / "out.csv", make, lambda: FIELDS) == 3
    assert sizes == [2, 1]
    assert (tmp_path / "out.csv").read_text("utf-8").splitlines()[0] == "text,length,words"


def test_mistake_in_a_later_chunk_leaves_the_file_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.data.tables.CHUNK", 1)
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n{"text": "b", "length": 1}\n', encoding="utf-8")
    (tmp_path / "out.jsonl").write_text("old", encoding="utf-8")
    with pytest.raises(DataError, match=r"in\.jsonl:2: column 'length' already exists"):
        convert(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]
    assert (tmp_path / "out.jsonl").read_text("utf-8") == "old"


def test_target_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\na\n", encoding="utf-8")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        convert(tmp_path / "in.csv", tmp_path / "file" / "out.csv")


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [("a.txt", "b.txt", "unknown format .txt"), ("a.csv", "b.jsonl", "output b.jsonl for input a.csv")],
)
def test_formats_must_be_known_and_the_same(source: str, target: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        check_formats(Path(source), Path(target))
    assert caught.value.got == message


def test_output_is_another_file_than_the_input(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\na\n")
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    for target in ("a.csv", "b.csv"):
        with pytest.raises(DataError, match="the output is the input itself"):
            check_formats(tmp_path / "a.csv", tmp_path / target)


def test_parquet_gives_every_column_back_as_it_was(tmp_path: Path) -> None:
    """Nanoseconds, years that Python does not know, types of every kind: none becomes a Python value."""
    big = 2**53 + 1
    source = pa.table(
        {
            "text": pa.array(["a", "b"]).dictionary_encode(),
            "ns": pa.array([1, 86_399_999_999_999], pa.time64("ns")),
            "stamp": pa.array([1, -(2**63) + 1], pa.timestamp("ns", "Europe/Paris")),
            "far": pa.array([253_402_300_800 * 1000, None], pa.timestamp("ms")),
            "span": pa.array([1, 2**62], pa.duration("ns")),
            "money": pa.array([Decimal("1.10"), None], pa.decimal128(38, 2)),
            "large": pa.array(["x", None], pa.large_string()),
            "bytes": pa.array([b"\xff\x00", b""]),
            "half": pa.array([np.float16(0.1), np.float16("nan")], pa.float16()),
            "single": pa.array([0.1, None], pa.float32()),
            "whole": pa.array([big, -big], pa.int64()),
            "unsigned": pa.array([2**64 - 1, 0], pa.uint64()),
            "nested": pa.array([[{"k": [big]}], None], pa.list_(pa.struct({"k": pa.list_(pa.int64())}))),
            "map": pa.array([[("k", 1), ("k", 2)], []], pa.map_(pa.string(), pa.int64())),
            "nothing": pa.nulls(2),
        }
    )
    pq.write_table(source, tmp_path / "in.parquet")
    read = pq.read_table(tmp_path / "in.parquet")
    convert(tmp_path / "in.parquet", tmp_path / "out.parquet")
    again = pq.read_table(tmp_path / "out.parquet")
    assert again.column_names == [*read.column_names, "length", "words"]
    for name in read.column_names:
        assert again.schema.field(name) == read.schema.field(name)
        kept, was = (table[name].combine_chunks() for table in (again, read))
        assert kept.equals(was) or str(kept) == str(was)  # not a number is equal to none


def test_parquet_cell_that_python_cannot_hold_is_read_as_text(tmp_path: Path) -> None:
    table = pa.table(
        {
            "ns": pa.array([1], pa.time64("ns")),
            "far": pa.array([253_402_300_800 * 1000], pa.timestamp("ms")),
            "span": pa.array([1], pa.duration("ns")),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    ((_, cells),) = read_cells(tmp_path / "a.parquet")
    assert cells["ns"] == "00:00:00.000000001"
    assert cells["far"].startswith("10000-01-01")
    assert "1" in str(cells["span"])


def test_large_numbers_of_json_are_given_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(f'{{"text": "a", "n": {2**63 + 1}, "f": 1e-7}}\n', encoding="utf-8")
    convert(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    (row,) = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert json.loads(row) == {"text": "a", "n": 2**63 + 1, "f": 1e-7, "length": 1, "words": ["a"]}


@pytest.mark.parametrize("text", ["0\r", "\r", "a\rb", "a\nb", "a\r\nb", 'a "b"', "a,b", ""])
@pytest.mark.parametrize("separator", [",", ";"])
def test_whatever_a_cell_holds_is_read_back(tmp_path: Path, text: str, separator: str) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_bytes(write_csv([["text", "b\rc"], [text, "x"]], separator))
    assert add_columns(source, target, lambda rows: [{"n": "1"} for _ in rows], list, separator) == 1
    (row,) = read_cells(target, separator=separator)
    assert row[1] == {"text": text, "b\rc": "x", "n": "1"}
    assert target.read_bytes().endswith(b"1\n")
    assert not target.read_bytes().endswith(b"\r\n")
