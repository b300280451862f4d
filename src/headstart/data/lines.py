"""Reads the lines of UTF-8 text files, compressed ones too; of others says line and remedy."""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from headstart.data.compressed import is_compressed, open_bytes
from headstart.errors import DataError
from headstart.files import find_file_fault
from headstart.os_faults import reading

#: Marks at a file's head, the longer ones first: UTF-16's is the beginning of UTF-32's.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
#: What files that are no text begin with, what they are, and the command that opens them.
_PACKED: Final = (
    (b"\x1f\x8b", "compressed with gzip", "gunzip -c {file} > {plain}"),
    (b"PK\x03\x04", "a ZIP archive (or a spreadsheet)", "unzip {file}"),
    (b"BZh", "compressed with bzip2", "bunzip2 -c {file} > {plain}"),
    (b"\xfd7zXZ\x00", "compressed with xz", "xz -dc {file} > {plain}"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "zstd -dc {file} > {plain}"),
    (b"PAR1", "Parquet", "mv {file} {stem}.parquet"),
)
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_HEAD: Final = 256
#: Bytes of a piece of a line.
_PIECE: Final = 1 << 20
#: Bytes of the longest line that is read: a text takes up to four times as much in memory, and more to parse.
LONGEST_LINE: Final = 1 << 30
#: Bytes that Windows-1252 leaves open.
_OPEN_BYTES: Final = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


def require_file(path: Path) -> None:
    """See that what is there, if anything, is a file that can be read: no pipe is waited for, no device read.

    Raises:
        DataError: it is something else.
    """
    fault = find_file_fault(path)
    if fault is not None:
        raise DataError(f"is {fault}", where=str(path), expected="a file that can be read")


def require_existing_file(path: Path, expected: str, fix: str | None = None) -> None:
    """See that a file that can be read is there.

    Raises:
        DataError: there is none, or it is something else.
    """
    fault = find_file_fault(path)
    if fault is not None or not path.exists():
        raise DataError(
            f"is {fault}" if fault else "no such file", where=str(path), expected=expected, fix=fix
        )


def read_raw_lines(path: Path) -> Iterator[str]:
    """The file's lines as they come, line ends kept, a byte-order mark dropped; never the whole file at once.

    Raises:
        DataError: it is no file, cannot be opened, is compressed or in UTF-16, or has a byte that is not
            UTF-8, or a NUL.
    """
    require_file(path)
    try:
        with reading(path), open_bytes(path) as file:
            check_head(file.peek(_HEAD)[:_HEAD], path)
            for number, raw in enumerate(_iterate_lines(file, path), start=1):
                yield _decode_line(raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw, path, number)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _iterate_lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """The lines of a file; only in one that is larger than the longest line is it worth a look."""
    if path.stat().st_size <= LONGEST_LINE and not is_compressed(path):
        yield from file
        return
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise DataError(
                f"a line of more than {LONGEST_LINE >> 20:,} MiB",
                where=f"{path}:{number}",
                expected="one row per line",
                fix="put each row on its own line, in a JSON list too; or use Parquet",
            )
        yield line


def read_pieces(path: Path) -> Iterator[str]:
    """The file's text in pieces of a megabyte at most, for what may stand on one line.

    Raises:
        DataError: as `read_raw_lines`.
    """
    decoder, number = codecs.getincrementaldecoder("utf-8")(), 1
    try:
        with reading(path), open_bytes(path) as file:
            check_head(file.peek(_HEAD)[:_HEAD], path)
            mark = codecs.BOM_UTF8
            for raw in iter(lambda: file.readline(_PIECE), b""):
                yield _decode_piece(decoder, raw.removeprefix(mark), path, number)
                number, mark = number + raw.endswith(b"\n"), b""
            _decode_piece(decoder, b"", path, number)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _decode_piece(decoder: codecs.IncrementalDecoder, raw: bytes, path: Path, number: int) -> str:
    try:
        text = decoder.decode(raw, final=raw.endswith(b"\n") or not raw)
    except UnicodeDecodeError as error:
        return _decode_line(bytes(error.object), path, number)
    return _decode_line(raw, path, number) if "\0" in text else text


def read_table_lines(path: Path) -> Iterator[str]:
    """As `read_raw_lines`, of a file with a row on each line.

    Raises:
        DataError: lines end with a carriage return alone.
    """
    for number, line in enumerate(read_raw_lines(path), start=1):
        if number == 1:
            check_line_end(line, path)
        yield line


def check_line_end(first: str, path: Path) -> None:
    """Refuse a file whose lines end with a carriage return alone, by its first line.

    Raises:
        DataError: they do.
    """
    if "\r" in first.rstrip("\r\n") and not first.endswith("\n"):
        raise DataError(
            "lines end with a carriage return (CR) alone, as on old Macs",
            where=str(path),
            expected="lines that end with LF, or with CR and LF",
            fix=_make_text_rewrite(path, "tr '\\r' '\\n' < {file} > {new}"),
        )


def read_lines(path: Path) -> Iterator[str]:
    """The file's lines without their ends, LF or CRLF."""
    # Not splitlines(): a text may hold U+2028 and other characters that it takes for line ends.
    return (line.removesuffix("\n").removesuffix("\r") for line in read_table_lines(path))


def check_head(head: bytes, path: Path) -> None:
    """Refuse a file that is no UTF-8 text, by its first bytes.

    Raises:
        DataError: says what it is, and how to make text of it.
    """
    check_pointer(head, path)
    for mark, name in _MARKS:
        if head.startswith(mark):
            raise _refuse_encoding(f"{name}, by its byte-order mark", name, path)
    for mark, what, command in _PACKED:
        if head.startswith(mark):
            raise DataError(
                what, where=str(path), expected="plain text in UTF-8", fix=make_rewrite(path, command)
            )
    for name, zeros in (("UTF-16LE", head[1::2]), ("UTF-16BE", head[0::2])):
        if len(zeros) > 1 and not zeros.strip(b"\0"):
            raise _refuse_encoding(f"{name} without a byte-order mark", name, path)


def check_pointer(head: bytes, path: Path) -> None:
    """Refuse what Git LFS leaves in place of a file that it has not fetched.

    Raises:
        DataError: it is that.
    """
    if head.startswith(_POINTER):
        raise DataError(
            "a Git LFS pointer, not the file itself",
            where=str(path),
            expected="the file's own content",
            fix=f"in its repository: git lfs pull --include {shlex.quote(path.name)}",
        )


def make_rewrite(path: Path, command: str) -> str:
    """A shell command that makes a readable file of `path`: `{file}` is its name, `{new}` the new file's.

    `{plain}` is the name without its last suffix where another one is before it, `{stem}` without any last.
    """
    plain = path.stem if Path(path.stem).suffix else f"plain-{path.name}"
    names = {"file": path.name, "new": f"new-{path.name}", "plain": plain, "stem": path.stem}
    return command.format(**{key: shlex.quote(name) for key, name in names.items()})


def _make_text_rewrite(path: Path, command: str) -> str:
    """As `make_rewrite`, of the text in a file that may be compressed."""
    if not is_compressed(path):
        return make_rewrite(path, command)
    return f"unpack it, then: {make_rewrite(path.with_suffix(''), command)}"


def _refuse_encoding(got: str, name: str, path: Path) -> DataError:
    fix = _make_text_rewrite(path, f"iconv -f {name} -t UTF-8 {{file}} > {{new}}")
    return DataError(got, where=str(path), expected="UTF-8 text", fix=fix)


def _decode_line(raw: bytes, path: Path, line: int) -> str:
    if b"\0" in raw:
        raise DataError(
            "a NUL byte",
            where=f"{path}:{line}",
            expected="text",
            fix=_make_text_rewrite(path, "tr -d '\\000' < {file} > {new}"),
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8",
            where=f"{path}:{line}",
            expected="UTF-8 text",
            fix=_suggest_encoding(raw, path),
        ) from error


def _suggest_encoding(raw: bytes, path: Path) -> str:
    """Windows-1252 has all characters of Latin-1, and quotation marks and dashes where that has controls."""
    names = ("Latin-1", "LATIN1") if _OPEN_BYTES.search(raw) else ("Windows-1252 or Latin-1", "WINDOWS-1252")
    command = _make_text_rewrite(path, f"iconv -f {names[1]} -t UTF-8 {{file}} > {{new}}")
    return f"if it is {names[0]}: {command}"
