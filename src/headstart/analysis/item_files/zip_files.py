"""Reads entries of ZIP archives, also those in Zstandard, which Python's zipfile reads from 3.14 on."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

import pyarrow as pa

from headstart.errors import DataError

#: Compression method 93 of the ZIP specification (APPNOTE 4.4.5); 30 bytes precede names in a local header.
_ZSTANDARD: Final = 93
_LOCAL_HEADER: Final = 30


def read_entry(archive: zipfile.ZipFile, name: str, file: Path) -> bytes:
    """An entry's content.

    Raises:
        DataError: it is damaged.
    """
    info = archive.getinfo(name)
    try:
        if info.compress_type != _ZSTANDARD:
            return archive.read(info)
        return _read_zstandard(info, file)
    except (zipfile.BadZipFile, NotImplementedError, OSError, pa.ArrowException) as error:
        raise DataError(f"{name} in it cannot be read: {error}", where=str(file)) from error


def _read_zstandard(info: zipfile.ZipInfo, file: Path) -> bytes:
    with file.open("rb") as stream:
        stream.seek(info.header_offset)
        header = stream.read(_LOCAL_HEADER)
        # The lengths of the name and of the extra field; the central directory's may differ.
        skipped = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        stream.seek(skipped, 1)
        packed = stream.read(info.compress_size)
    return bytes(pa.CompressedInputStream(pa.BufferReader(packed), "zstd").read())
