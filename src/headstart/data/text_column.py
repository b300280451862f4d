"""Texts as one buffer, each made when it is asked for: objects would take several times as much."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, overload

import numpy as np

from headstart.data.corpus import Text

#: Half a character, which no reader lets through, would be kept as it is.
_ERRORS: Final = "surrogatepass"
#: Bytes of a digest: so many that no two texts share one by chance.
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, eq=False)
class TextColumn(Sequence[Text]):
    """N texts, pairs or conversations, as UTF-8 end to end.

    `ends` [P+1] are where the pieces of `buffer` begin and end; `starts` are the first piece of each text and
    one more, None where each text is one piece. `order` [N] are the texts in this column's order.
    """

    buffer: bytearray
    ends: np.ndarray
    starts: np.ndarray | None
    order: np.ndarray

    def __len__(self) -> int:
        return len(self.order)

    @overload
    def __getitem__(self, place: int) -> Text: ...
    @overload
    def __getitem__(self, place: slice) -> list[Text]: ...
    def __getitem__(self, place: int | slice) -> Text | list[Text]:
        if isinstance(place, slice):
            return list(self._iterate(self.order[place]))
        return next(self._iterate(self.order[[place]]))

    def __iter__(self) -> Iterator[Text]:
        return self._iterate(self.order)

    def select(self, index: np.ndarray) -> TextColumn:
        """The texts at `index`, in that order; the buffer is shared."""
        return TextColumn(self.buffer, self.ends, self.starts, self.order[index])

    def _iterate(self, index: np.ndarray) -> Iterator[Text]:
        buffer = self.buffer
        if self.starts is None:
            spans = zip(
                _iterate_numbers(self.ends, index), _iterate_numbers(self.ends, index + 1), strict=True
            )
            for begin, end in spans:
                yield buffer[begin:end].decode("utf-8", _ERRORS)
            return
        for i in index:
            pieces = self.ends[self.starts[i] : self.starts[i + 1] + 1].tolist()
            yield tuple(buffer[begin:end].decode("utf-8", _ERRORS) for begin, end in pairwise(pieces))


def _iterate_numbers(numbers: np.ndarray, index: np.ndarray) -> Iterator[int]:
    """The numbers at `index` as Python's own, some at a time."""
    for start in range(0, len(index), 4096):
        yield from numbers[index[start : start + 4096]].tolist()


class TextColumnBuilder:
    """Puts texts into one buffer: all of them texts, or all of them pairs or conversations."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ends = array("q", [0])
        self._starts = array("q", [0])
        self._are_single = True

    def add(self, text: Text) -> None:
        """Append one text."""
        if isinstance(text, str):
            self._add_piece(text)
        else:
            self._are_single = False
            for piece in text:
                self._add_piece(piece)
        self._starts.append(len(self._ends) - 1)

    def _add_piece(self, piece: str) -> None:
        self._buffer += piece.encode("utf-8", _ERRORS)
        self._ends.append(len(self._buffer))

    def build(self) -> TextColumn:
        """The texts that were added."""
        starts = np.array(self._starts, np.int64)
        index = np.arange(len(starts) - 1)
        return TextColumn(
            self._buffer, np.array(self._ends, np.int64), None if self._are_single else starts, index
        )


def hash_texts(keys: Iterator[str], count: int) -> np.ndarray:
    """Digests [N] of N texts as bytes of one length, equal for equal texts and for no others."""
    digests = (
        hashlib.blake2b(key.encode("utf-8", _ERRORS), digest_size=_DIGEST_BYTES).digest() for key in keys
    )
    return np.fromiter(digests, f"S{_DIGEST_BYTES}", count)
