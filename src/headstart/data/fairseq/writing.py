"""Writes rows of ids as fairseq-preprocess does: `.bin`, `.idx` and the dictionary they are numbered by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from headstart.data.fairseq.binarised import DTYPES, MAPPED, VERSION, add_suffix
from headstart.data.fairseq.dictionary import Dictionary
from headstart.files import write_file_atomically

#: From so many symbols on an id takes four bytes (fairseq's `best_fitting_int_dtype`).
_WIDE: Final = 65_500
_NARROW_CODE, _WIDE_CODE = 8, 9


def write_binarised(prefix: Path, rows: Iterable[Sequence[int]], dictionary: Dictionary) -> Counter[int]:
    """Write `PREFIX.bin` and `PREFIX.idx` of mapped data; gives how often each id occurs.

    An end `</s>` is put behind each row, as fairseq's own encoder does; nothing before it.
    """
    code = _NARROW_CODE if len(dictionary) < _WIDE else _WIDE_CODE
    kind, counts, sizes = DTYPES[code], Counter[int](), []
    with write_file_atomically(add_suffix(prefix, ".bin")) as temporary, temporary.open("wb") as stream:
        for row in rows:
            ids = [*row, dictionary.eos]
            stream.write(np.array(ids, kind).tobytes())
            sizes.append(len(ids))
            counts.update(row)
    _write_index(add_suffix(prefix, ".idx"), np.array(sizes, np.int64), code)
    return counts


def _write_index(path: Path, sizes: np.ndarray, code: int) -> None:
    places = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else np.empty(0, np.int64)
    parts = [
        MAPPED,
        np.array([VERSION], "<u8").tobytes(),
        bytes([code]),
        np.array([len(sizes)], "<u8").tobytes(),
        sizes.astype("<i4").tobytes(),
        (places * DTYPES[code].itemsize).astype("<i8").tobytes(),
    ]
    with write_file_atomically(path) as temporary:
        temporary.write_bytes(b"".join(parts))
