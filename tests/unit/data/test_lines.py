"""Lines of text come as they are; what is no UTF-8 text is named with a command that makes text of it."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import shutil
import subprocess
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from headstart.data import lines
from headstart.data.formats import read_cells
from headstart.data.lines import make_rewrite, read_lines, read_raw_lines
from headstart.errors import DataError

TABLE = "text,label\ncaf\u00e9 \u20ac5,x\nfine,y\n"
ROWS = [{"text": "caf\u00e9 \u20ac5", "label": "x"}, {"text": "fine", "label": "y"}]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"


def write(folder: Path, content: bytes, name: str = "a b.csv") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def refused(file: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        list(read_cells(file))
    return caught.value


def mend(file: Path, command: str) -> list[dict[str, str]]:
    """The rows of the file that the command in an error's fix makes."""
    before = set(file.parent.iterdir())
    subprocess.run(command, shell=True, cwd=file.parent, check=True, timeout=60)
    (made,) = set(file.parent.iterdir()) - before
    return [cells for _, cells in read_cells(made)]


needs_iconv = pytest.mark.skipif(shutil.which("iconv") is None, reason="there is no iconv here")


@needs_iconv
@pytest.mark.parametrize(
    ("codec", "name"),
    [("utf-16", "UTF-16"), ("utf-32", "UTF-32"), ("utf-16-be", "UTF-16"), ("utf-32-be", "UTF-32")],
)
def test_wide_characters_are_told_by_their_mark(tmp_path: Path, codec: str, name: str) -> None:
    mark = {"utf-16-be": codecs.BOM_UTF16_BE, "utf-32-be": codecs.BOM_UTF32_BE}.get(codec, b"")
    error = refused(write(tmp_path, mark + TABLE.encode(codec)))
    assert (error.got, error.where) == (f"{name}, by its byte-order mark", f"{tmp_path}/a b.csv")
    assert error.fix == f"iconv -f {name} -t UTF-8 'a b.csv' > 'new-a b.csv'"
    assert mend(tmp_path / "a b.csv", error.fix) == ROWS


@needs_iconv
@pytest.mark.parametrize("order", ["LE", "BE"])
def test_wide_characters_without_a_mark_are_told_by_their_zeros(tmp_path: Path, order: str) -> None:
    plain = TABLE.replace("\u20ac", "$")
    error = refused(write(tmp_path, plain.encode(f"utf-16-{order}")))
    assert error.got == f"UTF-16{order} without a byte-order mark"
    assert error.fix is not None
    assert [row["label"] for row in mend(tmp_path / "a b.csv", error.fix)] == ["x", "y"]


@needs_iconv
@pytest.mark.parametrize(("codec", "text"), [("cp1252", TABLE), ("latin-1", TABLE.replace("\u20ac", "$"))])
def test_bytes_of_western_codes_are_mended_by_one_command(tmp_path: Path, codec: str, text: str) -> None:
    error = refused(write(tmp_path, text.encode(codec)))
    assert (error.got, error.where) == ("byte 0xe9 is not UTF-8", f"{tmp_path}/a b.csv:2")
    assert error.fix is not None
    command = error.fix.removeprefix("if it is Windows-1252 or Latin-1: ")
    assert mend(tmp_path / "a b.csv", command)[0]["text"] == text.splitlines()[1].split(",")[0]


def test_byte_that_windows_has_not_is_latin(tmp_path: Path) -> None:
    assert str(refused(write(tmp_path, b"text\n\x81\xe9\n")).fix).startswith(
        "if it is Latin-1: iconv -f LATIN1 "
    )


def test_nul_is_named_with_its_line(tmp_path: Path) -> None:
    error = refused(write(tmp_path, b"text,label\na,x\nb\0,y\n"))
    assert (error.got, error.where) == ("a NUL byte", f"{tmp_path}/a b.csv:3")
    assert error.fix is not None
    assert mend(tmp_path / "a b.csv", error.fix)[1] == {"text": "b", "label": "y"}


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_carriage_returns_alone_are_named(tmp_path: Path, name: str) -> None:
    content = b'{"a": 1}\r{"a": 2}\r' if name == "a.jsonl" else b"text\rb\rc\r"
    error = refused(write(tmp_path, content, name))
    assert error.got == "lines end with a carriage return (CR) alone, as on old Macs"
    assert error.fix is not None
    assert len(mend(tmp_path / name, error.fix)) == 2


def test_text_of_a_class_folder_may_have_any_line_ends(tmp_path: Path) -> None:
    (tmp_path / "pos").mkdir()
    write(tmp_path, b"one\rtwo\r", "pos/a.txt")
    assert [cells["text"] for _, cells in read_cells(tmp_path)] == ["one\rtwo"]


def zipped(raw: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("b.csv", raw)
    return file.getvalue()


@pytest.mark.parametrize(
    ("pack", "what"),
    [
        (gzip.compress, "compressed with gzip"),
        (bz2.compress, "compressed with bzip2"),
        (lzma.compress, "compressed with xz"),
        (zipped, "a ZIP archive (or a spreadsheet)"),
        (lambda raw: b"\x28\xb5\x2f\xfd" + raw, "compressed with zstd"),
        (lambda raw: b"PAR1" + raw, "Parquet"),
        (
            lambda raw: b"version https://git-lfs.github.com/spec/v1\noid",
            "a Git LFS pointer, not the file itself",
        ),
    ],
)
def test_packed_files_are_told_by_their_first_bytes(tmp_path: Path, pack: object, what: str) -> None:
    assert callable(pack)
    assert refused(write(tmp_path, pack(TABLE.encode()))).got == what


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("a.csv.gz", "gunzip -k a.csv.gz"),
        ("a.zip", "unzip a.zip"),
        ("a.csv.bz2", "bunzip2 -k a.csv.bz2"),
        ("a.xlsx", "save the sheet as CSV (UTF-8)"),
        ("a.txt", "name it .tsv where tabs separate its columns, .csv where commas do"),
    ],
)
def test_formats_that_are_not_read_say_what_to_do(tmp_path: Path, name: str, fix: str) -> None:
    assert refused(write(tmp_path, b"", name)).fix == fix


def test_pointer_in_place_of_parquet_is_told(tmp_path: Path) -> None:
    error = refused(write(tmp_path, POINTER, "a.parquet"))
    assert error.got == "a Git LFS pointer, not the file itself"


def test_rows_are_those_of_pandas(tmp_path: Path) -> None:
    file = write(tmp_path, b"\xef\xbb\xbf" + b'text,label\r\n"a, ""b""\nc",x\r\n\r\n d ,y')
    table = pd.read_csv(file, dtype=str)
    assert [cells for _, cells in read_cells(file)] == table.to_dict("records")


def test_lines_lose_their_ends_alone(tmp_path: Path) -> None:
    file = write(tmp_path, "\ufeffa\r\n\nb\u2028c \r\n\ufeffd".encode())
    assert list(read_lines(file)) == ["a", "", "b\u2028c ", "\ufeffd"]
    assert next(iter(read_raw_lines(file))) == "a\r\n"


def test_names_in_commands_are_quoted() -> None:
    assert make_rewrite(Path("x/a;b.csv"), "tr < {file} > {new}") == "tr < 'a;b.csv' > 'new-a;b.csv'"
    assert make_rewrite(Path("b.gz"), "{file} {plain} {stem}") == "b.gz plain-b.gz b"


def test_a_line_longer_than_memory_allows_is_refused_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 2000)
    file = tmp_path / "a.csv"
    file.write_text("text\n" + "a" * 3000 + "\n")
    with pytest.raises(DataError) as caught:
        list(read_lines(file))
    assert caught.value.where == f"{file}:2"
    file.write_text("text\n" + ("a" * 1999 + "\n") * 3)
    assert len(list(read_lines(file))) == 4
