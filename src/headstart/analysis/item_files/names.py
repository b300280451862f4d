"""Names of items or groups as one buffer of UTF-8, which pyarrow compares; knows not what they mean."""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
import pyarrow as pa

#: Half a character, which JSON can hold, is kept as it is.
_ERRORS: Final = "surrogatepass"


def read_name(names: pa.LargeBinaryArray, place: int) -> str | None:
    """One name; None where it is absent."""
    raw = names[place].as_py()
    return None if raw is None else raw.decode("utf-8", _ERRORS)


class NameColumnBuilder:
    """Names as UTF-8 end to end; some may be absent."""

    def __init__(self) -> None:
        self._buffer, self._ends, self._is_there = bytearray(), array("q", [0]), bytearray()
        self.has_any = False

    def add(self, name: str | None) -> None:
        """Append one."""
        if name is not None:
            self._buffer += name.encode("utf-8", _ERRORS)
            self.has_any = True
        self._is_there.append(name is not None)
        self._ends.append(len(self._buffer))

    def build(self) -> pa.LargeBinaryArray:
        """The names that were added."""
        bits = np.packbits(np.frombuffer(self._is_there, np.uint8), bitorder="little")
        buffers = [
            pa.py_buffer(bits),
            pa.py_buffer(np.array(self._ends, np.int64)),
            pa.py_buffer(self._buffer),
        ]
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(self._is_there), buffers)
