"""Opens files of bytes, unpacked where gzip, bzip2, xz or Zstandard compressed them; reads no lines."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shlex
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from headstart.errors import DataError

#: Bytes that are unpacked at once.
_BUFFER: Final = 1 << 20


def _open_zstd(path: Path) -> Any:
    """Arrow's: Python has Zstandard from 3.14 on."""
    import pyarrow as pa

    return io.BufferedReader(pa.input_stream(str(path), compression="zstd"), _BUFFER)


#: What opens files of each suffix, the format's name, and the program that checks one.
_FORMATS: Final[dict[str, tuple[Callable[[Path], Any], str, str]]] = {
    ".gz": (gzip.open, "gzip", "gzip -t"),
    ".bz2": (bz2.open, "bzip2", "bzip2 -t"),
    ".xz": (lzma.open, "xz", "xz -t"),
    ".zst": (_open_zstd, "Zstandard", "zstd -t"),
}
COMPRESSED_SUFFIXES: Final = frozenset(_FORMATS)


def is_compressed(path: Path) -> bool:
    """Whether its name says that it is compressed."""
    return path.suffix.lower() in _FORMATS


def get_plain_suffix(path: Path) -> str:
    """The suffix of what is in a file, in small letters: `.jsonl` of `a.jsonl` and of `a.jsonl.gz`."""
    return (Path(path.stem) if is_compressed(path) else path).suffix.lower()


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """The bytes of a file, unpacked where its name says that it is compressed.

    Raises:
        DataError: it is not what its name says, is damaged, or ends early.
        OSError: it cannot be opened or read.
    """
    if not is_compressed(path):
        with path.open("rb") as plain:
            yield plain
        return
    opener, name, check = _FORMATS[path.suffix.lower()]
    try:
        with opener(path) as file:
            yield file
    except (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        if isinstance(error, UnicodeError) or (isinstance(error, OSError) and error.errno):
            raise
        raise DataError(
            f"not {name}, damaged, or cut off: {error}",
            where=str(path),
            expected=f"a whole file compressed with {name}",
            fix=f"{check} {shlex.quote(path.name)} says the same? copy or download it again",
        ) from error
