"""Sums of a training state's parts, kept in its file: a bit that a disk has changed is not trained on."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from headstart.json_text import parse_json

#: Where a state's metadata hold the sums, as JSON; that of the other metadata has no name.
SUMS_KEY: Final = "sums"
_NO_NAME: Final = ""
_CHUNK: Final = 1 << 20


def dump_sums(sums: Mapping[str, int], progress: Mapping[str, str]) -> str:
    """CRC-32 of each tensor's bytes, by name, with that of the metadata beside them."""
    return json.dumps({**sums, _NO_NAME: _sum_progress(progress)})


def check_sums(file: Path) -> None:
    """See that a file of safetensors holds what was written; one of before, without sums, is taken as it is.

    Raises:
        OSError, ValueError: it cannot be read, or holds something else.
    """
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = parse_json(stream.read(min(length, file.stat().st_size)))
        progress = dict(header.pop("__metadata__", {}))
        sums = progress.pop(SUMS_KEY, None)
        if sums is None:
            return
        found = {name: _sum_bytes(stream, 8 + length, part) for name, part in header.items()}
        if found | {_NO_NAME: _sum_progress(progress)} != parse_json(sums):
            raise ValueError("its contents differ from what was written")


def _sum_progress(progress: Mapping[str, str]) -> int:
    return zlib.crc32(json.dumps(dict(progress), sort_keys=True).encode())


def _sum_bytes(stream: BinaryIO, start: int, part: Mapping[str, Any]) -> int:
    first, end = part["data_offsets"]
    stream.seek(start + first)
    total, left = 0, end - first
    while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
        total, left = zlib.crc32(chunk, total), left - len(chunk)
    return total
