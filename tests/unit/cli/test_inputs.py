"""A file, a text and standard input are told apart by one rule."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from headstart.cli.inputs import InputFormat, is_file_name, open_inputs, read_prompt
from headstart.errors import DataError, HeadstartError


def pipe(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = SimpleNamespace(buffer=io.BytesIO(content), closed=False, isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stream)


def test_what_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "reviews").write_text("x", encoding="utf-8")
    assert is_file_name(str(tmp_path / "reviews"))
    assert is_file_name("missing.csv")
    assert is_file_name("my missing file.JSONL")
    assert not is_file_name(str(tmp_path))
    assert not is_file_name("I loved it. Really")
    assert not is_file_name("two\nlines.csv")
    assert not is_file_name("long " * 2000)
    assert not is_file_name("\0")


def test_words_are_a_file_or_texts() -> None:
    with open_inputs(["new.csv"], "lines") as source:
        assert source == Path("new.csv")
    with open_inputs(["one", "two"], "lines") as source:
        assert source == ["one", "two"]


@pytest.mark.parametrize("words", [["a text", "-"], ["a text", "new.csv"], ["a.csv", "b.csv"]])
def test_files_among_texts_are_refused(words: list[str]) -> None:
    with pytest.raises(HeadstartError, match="among 2 inputs"), open_inputs(words, "lines"):
        pass


@pytest.mark.parametrize("words", [["-"], []])
def test_lines_of_standard_input(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pipe("\ufeffun café\r\n\n  \nnul\n".encode(), monkeypatch)
    with open_inputs(words, "lines") as source:
        assert source == ["un café", "nul"]


def test_nothing_is_read_from_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(closed=False, isatty=lambda: True))
    with pytest.raises(HeadstartError, match="no text"), open_inputs([], "lines"):
        pass


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_table_on_standard_input_is_a_file_for_a_while(
    kind: InputFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(b"text\nx\n", monkeypatch)
    with open_inputs(["-"], kind) as source:
        assert isinstance(source, Path)
        assert source.suffix == f".{kind}"
        assert source.read_bytes() == b"text\nx\n"
    assert not source.exists()


@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_no_text_on_standard_input(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(content, monkeypatch)
    with pytest.raises(DataError, match="no text"), open_inputs(["-"], "lines"):
        pass


def test_bytes_that_are_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(b"good\nd\xe9j\xe0 vu\n", monkeypatch)
    with pytest.raises(DataError, match="0xe9 is not UTF-8") as error, open_inputs(["-"], "lines"):
        pass
    assert error.value.where == "standard input, line 2"


def test_more_than_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headstart.cli.inputs._MOST_BYTES", 4)
    pipe(b"a text", monkeypatch)
    with pytest.raises(DataError, match="more than 4 bytes"), open_inputs(["-"], "lines"):
        pass


def test_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_prompt("how many?") == "how many?"
    pipe(b"how\nmany?\n", monkeypatch)
    assert read_prompt("-") == "how\nmany?"


def test_a_folder_on_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Folder:
        def read(self, size: int) -> bytes:
            raise IsADirectoryError(21, "Is a directory")

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Folder(), closed=False, isatty=lambda: False))
    with pytest.raises(DataError, match="cannot be read: Is a directory"), open_inputs(["-"], "lines"):
        pass


def test_a_closed_standard_input_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="no text"), open_inputs(["-"], "lines"):
        pass
