"""Writes tokens to the files of a folder a chunk at a time; knows no texts and no tokenizer."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import numpy as np
from numpy.lib import format as npy

#: The files of a folder, and the type of each one's numbers.
_IDS: Final = ("ids.npy", np.dtype(np.int32))
_STARTS: Final = ("starts.npy", np.dtype(np.int64))
_TYPES: Final = ("types.npy", np.dtype(np.int8))
_LOSS_MASK: Final = ("loss_mask.npy", np.dtype(np.bool_))
_TRUNCATED: Final = "truncated.npy"


class TokenWriter:
    """Appends tokens to the files of a folder, which are whole when the block ends."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._files = folder, ExitStack()
        self._arrays: dict[str, ArrayFile] = {}
        self._truncated = 0
        self._end = 0

    def __enter__(self) -> Self:
        self._append(_STARTS, np.zeros(1))
        return self

    def add(
        self,
        input_ids: np.ndarray,
        starts: np.ndarray,
        *,
        types: np.ndarray | None,
        loss_mask: np.ndarray | None,
        truncated: int,
    ) -> None:
        """Append the tokens of n more texts, whose first one is `starts[0]`, 0; `starts` has shape [n+1]."""
        self._append(_IDS, input_ids)
        self._append(_STARTS, starts[1:] + self._end)
        for file, array in ((_TYPES, types), (_LOSS_MASK, loss_mask)):
            if array is not None:
                self._append(file, array)
        self._end += int(starts[-1])
        self._truncated += truncated

    def _append(self, file: tuple[str, np.dtype], numbers: np.ndarray) -> None:
        name, dtype = file
        if name not in self._arrays:
            stream = self._files.enter_context((self._folder / name).open("wb"))
            self._arrays[name] = ArrayFile(stream, dtype)
        self._arrays[name].append(numbers)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._files:
            for array in self._arrays.values():
                array.finish()
        np.save(self._folder / _TRUNCATED, np.array(self._truncated))


class ArrayFile:
    """One array in numpy's format, whose length is known at the end: [n], or [n, row] of whole rows alone."""

    def __init__(self, stream: BinaryIO, dtype: np.dtype, row: int | None = None) -> None:
        self._stream, self._dtype, self._row, self._count = stream, dtype, row, 0
        self._write_header()

    def append(self, numbers: np.ndarray) -> None:
        """Append numbers [k]."""
        self._stream.write(np.ascontiguousarray(numbers, self._dtype).tobytes())
        self._count += len(numbers)

    def finish(self) -> None:
        """Write the length, and cut off a row that is not whole."""
        # numpy leaves room in the header, so that it can be written anew for an array that grew.
        self._stream.seek(0)
        self._write_header()
        if self._row is not None:
            whole = self._count // self._row * self._row
            self._stream.truncate(self._stream.tell() + whole * self._dtype.itemsize)

    def _write_header(self) -> None:
        shape = (self._count,) if self._row is None else (self._count // self._row, self._row)
        header = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(self._stream, header)
