"""Documents are read from text, JSON Lines, Parquet and CSV, compressed or not; what is no text is told."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.data import documents
from headstart.data.documents import list_corpus_files
from headstart.data.text_corpus import DocumentUnit, TextCorpus, TextList, divide_corpus
from headstart.errors import DataError
from headstart.files import hash_file

_TEXT = "Un.\r\n  Deux é.\n\n \nTrois.\nQuatre.\n\n"
_UNITS: dict[DocumentUnit, list[str]] = {
    "line": ["Un.", "  Deux é.", "Trois.", "Quatre."],
    "blank-line": ["Un.\n  Deux é.", "Trois.\nQuatre."],
    "file": ["Un.\n  Deux é.\n\n \nTrois.\nQuatre."],
}


def _compress_zstd(data: bytes) -> bytes:
    frame: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return frame


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": _compress_zstd,
}


def _read(file: Path, unit: DocumentUnit = "line", column: str = "text") -> list[str]:
    return list(TextCorpus((file,), column, unit).iterate())


def _write(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("suffix", _PACKERS)
def test_text_is_cut_into_documents(tmp_path: Path, suffix: str) -> None:
    file = _write(tmp_path / f"a.txt{suffix}", _PACKERS[suffix](b"\xef\xbb\xbf" + _TEXT.encode()))
    for unit, expected in _UNITS.items():
        assert _read(file, unit) == expected


@pytest.mark.parametrize("suffix", list(_PACKERS)[1:])
def test_frames_behind_each_other_are_read_to_the_end(tmp_path: Path, suffix: str) -> None:
    frames = _PACKERS[suffix](b"one\n") + _PACKERS[suffix](b"two\n")
    assert _read(_write(tmp_path / f"a.txt{suffix}", frames)) == ["one", "two"]


@pytest.mark.parametrize("suffix", list(_PACKERS)[1:])
@pytest.mark.parametrize("damage", ["end", "other"])
def test_damaged_files_are_told(tmp_path: Path, suffix: str, damage: str) -> None:
    text = "".join(f"{i} {i * i}\n" for i in range(5000)).encode()
    packed = _PACKERS[suffix](text)[:-9] if damage == "end" else b"no such format\n"
    file = _write(tmp_path / f"a.txt{suffix}", packed)
    with pytest.raises(DataError, match="damaged, or cut off") as caught:
        _read(file)
    assert caught.value.where == str(file)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_rows_of_tables_are_documents(tmp_path: Path, suffix: str) -> None:
    rows = [{"body": text, "n": 1} for text in ("Un.\n\nDeux.", "", "Trois é.")]
    lines = "".join(json.dumps(row) + "\n" for row in [*rows, {"body": None, "n": 2}])
    table = 'n,body\n1,"Un.\n\nDeux."\n1,\n1,Trois é.\n'
    expected = ["Un.\n\nDeux.", "Trois é."]
    for name, content in (("a.jsonl", lines), ("a.csv", table)):
        assert _read(
            _write(tmp_path / f"{name}{suffix}", _PACKERS[suffix](content.encode())), "line", "body"
        ) == (expected)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert _read(tmp_path / "a.parquet", "line", "body") == expected


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["x"], "n": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column 'text'") as caught:
        _read(tmp_path / "a.parquet")
    assert caught.value.expected == "one of the columns: body, n"
    assert caught.value.fix == "set data.text"


@pytest.mark.parametrize(
    ("name", "content", "line", "got"),
    [
        ("a.txt", b"a\nb\0c\n", ":2", "a NUL byte"),
        ("a.txt", b"ok\ncaf\xe9\n", ":2", "byte 0xe9 is not UTF-8"),
        ("a.txt.gz", gzip.compress(b"ok\ncaf\xe9\n", mtime=0), ":2", "byte 0xe9 is not UTF-8"),
        ("a.txt", "é".encode("utf-16"), "", "UTF-16, by its byte-order mark"),
        ("a.txt", b"a\rb\rc\r", "", "carriage return"),
        ("a.txt", gzip.compress(b"text", mtime=0), "", "compressed with gzip"),
        ("a.jsonl", b'{"text": "a"}\n{"text": 3}\n', ":2", "3 in column 'text'"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', ":1", "an unpaired surrogate"),
        ("a.jsonl", b'{"text": "a"\n', ":1", "not JSON"),
        ("a.pdf", b"%PDF", "", "unknown format .pdf"),
        ("a.parquet", b"PAR1 no", "", "not Parquet"),
    ],
)
def test_what_is_no_text_is_refused_by_line(
    tmp_path: Path, name: str, content: bytes, line: str, got: str
) -> None:
    file = _write(tmp_path / name, content)
    with pytest.raises(DataError) as caught:
        _read(file)
    assert got in caught.value.got
    assert caught.value.where == f"{file}{line}"


def test_commands_for_compressed_files_begin_with_unpacking(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        _read(_write(tmp_path / "a.txt.gz", gzip.compress(b"ok\0\n", mtime=0)))
    assert caught.value.fix == "unpack it, then: tr -d '\\000' < a.txt > new-a.txt"


@pytest.mark.parametrize(("unit", "line"), [("line", ":2"), ("blank-line", ":3"), ("file", "")])
def test_a_document_too_long_for_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: DocumentUnit, line: str
) -> None:
    monkeypatch.setattr(documents, "LONGEST_DOCUMENT", 1000)
    text = {"line": f"a\n{'x' * 1200}\n", "blank-line": "a\n\n" + "bc d\n" * 300, "file": "bc d\n" * 300}
    file = _write(tmp_path / "a.txt", text[unit].encode())
    with pytest.raises(DataError, match="a document of more than 1,000 characters") as caught:
        _read(file, unit)
    assert caught.value.where == f"{file}{line}"
    assert "data.document: " in str(caught.value.fix)


def test_folders_and_patterns_are_read_by_name(tmp_path: Path) -> None:
    for name in ("b.txt", "a.jsonl", ".hidden.txt", "notes.docx"):
        _write(tmp_path / name, b'{"text": "a"}\n')
    (tmp_path / "deep").mkdir()
    _write(tmp_path / "deep" / "c.txt", b"c\n")
    assert [file.name for file in list_corpus_files(tmp_path)] == ["a.jsonl", "b.txt"]
    assert [file.name for file in list_corpus_files(tmp_path / "**" / "*.txt")] == ["b.txt", "c.txt"]
    assert _read(tmp_path / "deep") == ["c"]


@pytest.mark.parametrize(
    ("name", "got"), [("none.txt", "no such file or folder"), ("*.txt", "no file matches this pattern")]
)
def test_what_is_not_there_is_told(tmp_path: Path, name: str, got: str) -> None:
    with pytest.raises(DataError, match=got):
        list_corpus_files(tmp_path / name)


def test_a_folder_with_several_parts_is_refused(tmp_path: Path) -> None:
    for name in ("train.jsonl.gz", "test.jsonl"):
        _write(tmp_path / name, b"")
    with pytest.raises(DataError, match=r"parts in it: test.jsonl, train.jsonl.gz"):
        list_corpus_files(tmp_path)


def test_equal_documents_are_on_one_side_and_stay_there(tmp_path: Path) -> None:
    texts = [f"text {i % 500}" for i in range(1000)]
    corpus = TextCorpus((_write(tmp_path / "a.txt", "\n".join(texts).encode()),))
    train, valid = divide_corpus(corpus, 0.2, seed=1)
    kept, held = list(train.iterate()), list(valid.iterate())
    assert sorted(kept + held) == sorted(texts)
    assert not set(kept) & set(held)
    assert 60 <= len(set(held)) <= 140  # of 500, 100 on average: 4.5 standard deviations
    other = set(divide_corpus(corpus, 0.2, seed=2)[1].iterate())
    assert other != set(held)
    _write(tmp_path / "b.txt", "\n".join([*texts, "more", "and more"]).encode())
    grown = divide_corpus(TextCorpus((tmp_path / "b.txt",)), 0.2, seed=1)[1]
    assert set(held) <= set(grown.iterate())


def test_digests_tell_texts_and_readings_apart(tmp_path: Path) -> None:
    text = _write(tmp_path / "a.txt", b"one\n\ntwo\n")
    same = _write(tmp_path / "same.txt", b"one\n\ntwo\n")
    other = _write(tmp_path / "other.txt", b"one\n\ntwo!\n")
    digest = TextCorpus((text,)).digest
    assert TextCorpus((same,)).digest == digest
    assert TextCorpus((text,), column="unused").digest == digest
    others = [
        TextCorpus((other,)),
        TextCorpus((text,), document="file"),
        TextCorpus((text, text)),
        *divide_corpus(TextCorpus((text,)), 0.5, 1),
        divide_corpus(TextCorpus((text,)), 0.5, 2)[1],
    ]
    assert len({digest, *(one.digest for one in others)}) == len(others) + 1


@pytest.mark.parametrize("content", [b"", b"\n \n", gzip.compress(b"", mtime=0)])
def test_a_corpus_without_documents_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = _write(tmp_path / ("a.txt.gz" if content[:1] == b"\x1f" else "a.txt"), content)
    with pytest.raises(DataError, match="no documents: it is empty") as caught:
        _read(file)
    assert caught.value.where == str(file)


@pytest.mark.parametrize(
    ("share", "side", "words"), [(1e-9, 1, "none of them is kept"), (1 - 1e-9, 0, "all of them are kept")]
)
def test_a_side_without_documents_is_refused(tmp_path: Path, share: float, side: int, words: str) -> None:
    file = _write(tmp_path / "a.txt", b"one\ntwo\n")
    with pytest.raises(DataError, match=f"2 documents, and {words} for validation"):
        list(divide_corpus(TextCorpus((file,)), share, 1)[side].iterate())


def test_a_list_is_a_corpus_too() -> None:
    corpus = TextList(["one", " ", "two"])
    assert list(corpus.iterate()) == ["one", "two"]
    assert corpus.digest != TextList(["one", "two"]).digest
    assert TextList(["ab", "c"]).digest != TextList(["a", "bc"]).digest


def test_both_sides_of_a_division_read_a_file_once_for_their_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def hash_and_note(file: Path) -> str:
        read.append(file)
        return hash_file(file)

    monkeypatch.setattr("headstart.data.text_corpus.hash_file", hash_and_note)
    file = _write(tmp_path / "a.txt", b"one\ntwo\n")
    train, valid = divide_corpus(TextCorpus((file,)), 0.5, 0)
    assert train.digest != valid.digest
    assert len(read) == 1
    before = TextCorpus((file,)).digest
    file.write_bytes(b"one\ntwo\nthree\n")
    assert TextCorpus((file,)).digest != before
    assert len(read) == 2
