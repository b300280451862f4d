"""Reads entries of ZIP archives, also those in Zstandard, which Python's zipfile reads from 3.14 on."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa

from headstart.errors import DataError
from headstart.os_faults import reading

#: Compression method 93 of the ZIP specification (APPNOTE 4.4.5); 30 bytes precede names in a local header.
_ZSTANDARD: Final = 93
_LOCAL_HEADER: Final = 30
#: Bytes of the largest entry that is read.
_MOST: Final = 512 << 20
#: What zipfile and decompressors raise for damage; RuntimeError: a password is needed.
_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, pa.ArrowException),
    *(NotImplementedError, RuntimeError, OSError, ValueError),
)


@contextmanager
def open_archive(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive in a file.

    Raises:
        DataError: it is damaged.
    """
    try:
        with reading(file):
            archive = zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise DataError(f"a damaged ZIP archive: {error}", where=str(file)) from error
    with archive:
        yield archive


def read_entry(archive: zipfile.ZipFile, name: str, file: Path) -> bytes:
    """An entry's content.

    Raises:
        DataError: it is damaged, or larger than any log's.
    """
    info = archive.getinfo(name)
    try:
        with reading(file):
            packed = info.compress_type == _ZSTANDARD
            content = _read_zstandard(info, file) if packed else _read(archive, info)
    except _DAMAGE as error:
        raise DataError(f"{name} in it cannot be read: {error}", where=str(file)) from error
    if len(content) > _MOST:
        raise DataError(f"{name} in it is larger than {_MOST >> 20} MiB", where=str(file))
    return content


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """No more than shows that it is too large: what an archive says of that is not believed."""
    with archive.open(info) as stream:
        return stream.read(_MOST + 1)


def _read_zstandard(info: zipfile.ZipInfo, file: Path) -> bytes:
    with file.open("rb") as stream:
        stream.seek(info.header_offset)
        header = stream.read(_LOCAL_HEADER)
        # The lengths of the name and of the extra field; the central directory's may differ.
        skipped = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        stream.seek(skipped, 1)
        packed = stream.read(info.compress_size)
    return bytes(pa.CompressedInputStream(pa.BufferReader(packed), "zstd").read(_MOST + 1))
