"""Says which training states cannot be resumed from; `engine.training_state` writes and reads them.

A state ends up with a checksum of its tensors in its header. It is one against a disk's errors, quick, for
states are large and written often: nobody is to be fooled.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Final

from headstart.json_text import parse_json
from headstart.store.layout import StudyLayout

STATE_FILE: Final = "state.safetensors"
#: The key of the checksum among a state's metadata, and what stands there until it is known.
CHECKSUM: Final = "crc32"
UNKNOWN_CHECKSUM: Final = "--------"
#: Keys of metadata without which a state is none.
_NEEDED: Final = frozenset({"identity", "steps", "points", "mark"})
#: Bytes that say how long the header is, of the longest header, and read at once.
_LENGTH: Final = 8
_LONGEST: Final = 100 << 20
_CHUNK: Final = 1 << 20


def seal_state(file: Path) -> None:
    """Put the checksum of its tensors into a state that has just been written.

    Raises:
        OSError: it cannot be read or written.
    """
    header, checksum = _read_header(file), f"{_sum_tensors(file):08x}"
    entry = f"{json.dumps(CHECKSUM)}:{json.dumps(UNKNOWN_CHECKSUM)}".encode()
    with file.open("rb+") as stream:
        stream.seek(_LENGTH + header.index(entry) + entry.index(UNKNOWN_CHECKSUM.encode()))
        stream.write(checksum.encode())


def find_state_fault(file: Path) -> str | None:
    """Why a state cannot be resumed from, whosever it is; None where it is whole. Those of earlier versions
    have no checksum, and their tensors are believed."""
    try:
        header = _read_header(file)
        tensors = dict(parse_json(header))
        metadata = tensors.pop("__metadata__", {})
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        if file.stat().st_size != _LENGTH + len(header) + end:
            return "cannot be read: it is cut"
        if lacking := sorted(_NEEDED - metadata.keys()):
            return f"lacks {lacking[0]!r}"
        expected = metadata.get(CHECKSUM)
        is_changed = expected is not None and expected != f"{_sum_tensors(file):08x}"
    except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
        return f"cannot be read: {error}"
    return "is damaged: its checksum is another" if is_changed else None


def describe_damaged_state(layout: StudyLayout, key: str) -> str | None:
    """A sentence where the run's training state is there and not whole; it then begins anew, or from the
    state before."""
    file = layout.get_state_folder(key) / STATE_FILE
    fault = find_state_fault(file) if file.exists() else None
    return f"run {key} begins anew: {file}, its training state, {fault}" if fault else None


def _read_header(file: Path) -> bytes:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH), "little")
        header = stream.read(length) if length <= _LONGEST else b""
    if len(header) < length:
        raise ValueError("it is cut, or no training state")
    return header


def _sum_tensors(file: Path) -> int:
    """The CRC-32 of what stands behind the header."""
    checksum = 0
    with file.open("rb") as stream:
        stream.seek(_LENGTH + int.from_bytes(stream.read(_LENGTH), "little"))
        while chunk := stream.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
