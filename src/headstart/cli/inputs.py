"""Tells texts from files among the words of a command, and reads standard input, within limits.

An existing file, or a name with the ending of a table, is a file; `-` is standard input; all else is a text.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from headstart.errors import DataError, HeadstartError

InputFormat = Literal["lines", "csv", "tsv", "jsonl"]
STANDARD_INPUT: Final = "-"
#: Endings of files of rows; `data.formats`, which reads them, is not imported for help.
_TABLES: Final = frozenset((".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet"))
#: Bytes of standard input: more are for a file.
_MOST_BYTES: Final = 1 << 28


def is_file_name(word: str) -> bool:
    """Whether a word of the command line names a file of texts, and is none itself."""
    path = Path(word)
    try:
        if os.path.lexists(path) and not path.is_dir():  # a pipe or device too, which is refused as one
            return True
    except (OSError, ValueError):  # longer than any name, or a NUL in it: a text
        pass
    return "\n" not in word and path.suffix.lower() in _TABLES


@contextmanager
def open_inputs(words: Sequence[str], input_format: InputFormat) -> Iterator[Path | list[str]]:
    """The one file that is named, or what came on standard input as one, or a list of texts.

    Raises:
        HeadstartError: nothing is given; files and texts, or several files.
    """
    if list(words) == [STANDARD_INPUT] or (not words and _is_piped()):
        with _open_standard_input(input_format) as source:
            yield source
        return
    _check_words(words)
    yield Path(words[0]) if is_file_name(words[0]) else list(words)


def _check_words(words: Sequence[str]) -> None:
    expected = "one or more texts, one file, or - for standard input"
    if not words:
        raise HeadstartError("no text", where="predict", expected=expected)
    several = len(words) > 1
    odd = next((word for word in words if several and (word == STANDARD_INPUT or is_file_name(word))), None)
    if odd is not None:
        what = "standard input" if odd == STANDARD_INPUT else f"a file, {odd},"
        raise HeadstartError(
            f"{what} among {len(words)} inputs", where="predict", expected=expected, fix="one call for each"
        )


def _is_piped() -> bool:
    return sys.stdin is not None and not sys.stdin.closed and not sys.stdin.isatty()


@contextmanager
def _open_standard_input(input_format: InputFormat) -> Iterator[Path | list[str]]:
    content = read_standard_input()
    if input_format == "lines":
        texts = [line for line in _decode(content).splitlines() if line.strip()]
        if not texts:
            raise DataError("no text", where="standard input", expected="one text per line")
        yield texts
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"standard-input.{input_format}"
        file.write_bytes(content)
        yield file


def read_standard_input() -> bytes:
    """All of it; nothing where it is closed.

    Raises:
        DataError: it is more than a quarter of a gibibyte, or cannot be read.
    """
    try:
        content = b"" if sys.stdin is None else sys.stdin.buffer.read(_MOST_BYTES + 1)
    except OSError as error:  # a folder, say
        raise DataError(f"cannot be read: {error.strerror or error}", where="standard input") from error
    if len(content) > _MOST_BYTES:
        raise DataError(
            f"more than {_MOST_BYTES:,} bytes",
            where="standard input",
            fix="write it to a file and pass that file",
        )
    return content


def read_prompt(word: str) -> str:
    """A prompt as it stands on the command line, or the whole of standard input for `-`."""
    return _decode(read_standard_input()).strip() if word == STANDARD_INPUT else word


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"byte {content[error.start]:#04x} is not UTF-8", where=f"standard input, line {line}"
        ) from error
