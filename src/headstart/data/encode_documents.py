"""Documents become token ids on all processors, in order and within bounded memory; writes nothing.

Threads, not processes: `tokenizers` encodes outside Python's lock, and what is left under it is 4% of
the time of one thread (decision 055).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Protocol

import numpy as np
from tokenizers import Tokenizer

from headstart.data.special_tokens import SpecialTokens
from headstart.environment import set_variable
from headstart.errors import ModelError

#: Pieces of documents, and characters, that a thread encodes at once.
_PIECES, _CHARACTERS = 1024, 500_000
#: Characters of a piece: longer documents are encoded in pieces, each from a space on where there is one.
_LONGEST_PIECE: Final = 200_000
_SPACE: Final = re.compile(r"(?<=\S) (?=\S)")
#: Batches in memory for each thread.
_BATCHES: Final = 2
_PARALLELISM: Final = "TOKENIZERS_PARALLELISM"


@dataclass(frozen=True)
class Piece:
    """A document, or a part of a long one."""

    text: str
    is_first: bool
    is_last: bool


@dataclass(frozen=True)
class EncodedPieces:
    """Pieces with their tokens, end to end: `ids` [sum of lengths], `lengths` [n].

    The tokens that stand around a document are those of its first and its last piece.
    """

    pieces: tuple[Piece, ...]
    ids: np.ndarray
    lengths: np.ndarray


class DocumentEncoder:
    """Encodes documents as a tokenizer does, with the tokens that its template puts around each.

    Where the template ends a document with nothing, the tokenizer's end-of-sequence token does (or, without
    one, its separator); a tokenizer that has neither puts nothing between documents. Names of special tokens
    in a text are text. A tokenizer in Python encodes in one thread, under Python's lock.
    """

    def __init__(self, tokenizer: Any) -> None:
        special = SpecialTokens.of(tokenizer)
        self._backend: _Backend = _Fast(special) if tokenizer.is_fast else _Slow(special)
        self.before, self.after = _find_frame(self._backend, tokenizer)
        self.dtype = np.dtype(np.uint16 if len(tokenizer) <= 1 << 16 else np.int32)

    def encode(self, pieces: tuple[Piece, ...]) -> EncodedPieces:
        """The tokens of a few pieces."""
        texts = [piece.text for piece in pieces]
        rows = []
        for piece, own in zip(pieces, self._backend.encode(texts), strict=True):
            rows.append(
                [*self.before] * piece.is_first + own + [*self.after] * piece.is_last
                if piece.is_first or piece.is_last
                else own
            )
        lengths = np.array([*map(len, rows)], np.int64)
        ids = np.fromiter(chain.from_iterable(rows), self.dtype, int(lengths.sum()))
        return EncodedPieces(pieces, ids, lengths)

    def count_bytes(self, piece: Piece, tokens: int) -> int:
        """The UTF-8 bytes of a piece that its first `tokens` tokens stand for, those around it included.

        About so many with a tokenizer in Python, which does not say where its tokens are from.
        """
        starts = self._backend.find_starts(piece.text)
        own = tokens - len(self.before) * piece.is_first
        end = starts[own] if 0 <= own < len(starts) else len(piece.text) * (own > 0)
        return len(piece.text[:end].encode())

    def encode_all(self, documents: Iterable[str], workers: int) -> Generator[EncodedPieces, None, None]:
        """The tokens of all documents, in order, by so many threads; one call at a time, until closed."""
        batches = _gather_batches(chain.from_iterable(map(cut_document, documents)))
        waiting: deque[Future[EncodedPieces]] = deque()
        threads = workers if self._backend.uses_threads else 1
        # Each call of `tokenizers` uses the thread that makes it, and no others.
        with (
            set_variable(_PARALLELISM, "false"),
            ThreadPoolExecutor(threads, thread_name_prefix="tokens") as pool,
        ):
            try:
                for batch in batches:
                    waiting.append(pool.submit(self.encode, batch))
                    if len(waiting) > _BATCHES * threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)


class _Backend(Protocol):
    """Encodes texts without tokens around them, in which names of special tokens are text."""

    #: Whether several threads encode faster than one.
    uses_threads: bool

    def encode(self, texts: list[str]) -> list[list[int]]:
        """The ids of each text."""

    def find_starts(self, text: str) -> list[int]:
        """Of each token the place of its first character."""


class _Fast:
    uses_threads = True

    def __init__(self, special: SpecialTokens) -> None:
        self._tokenizer: Tokenizer = special.copy_for_texts()

    def encode(self, texts: list[str]) -> list[list[int]]:
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def find_starts(self, text: str) -> list[int]:
        return [start for start, _ in self._tokenizer.encode(text, add_special_tokens=False).offsets]


class _Slow:
    """A tokenizer in Python, whose tokens' lengths stand for the places that it does not tell."""

    uses_threads = False

    def __init__(self, special: SpecialTokens) -> None:
        self._special = special

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [self._encode(text) for text in texts]

    def find_starts(self, text: str) -> list[int]:
        lengths = [len(token) for token in self._special.tokenizer.convert_ids_to_tokens(self._encode(text))]
        ends = np.cumsum([0, *lengths])
        return [int(end) for end in ends[:-1] * len(text) // max(1, ends[-1])]

    def _encode(self, text: str) -> list[int]:
        return list(self._special.encode_slowly(text, add_special_tokens=False).input_ids)


def _find_frame(backend: _Backend, tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids before and behind each document."""
    (own,), framed = backend.encode(["a"]), list(tokenizer("a", verbose=False).input_ids)
    starts = range(len(framed) - len(own) + 1)
    start = next((i for i in starts if framed[i : i + len(own)] == own), None)
    if start is None:
        raise ModelError(
            "its tokenizer puts special tokens inside a text, not around it",
            where=str(tokenizer.name_or_path) or None,
            expected="a template such as <s> $A </s>",
        )
    before, after = tuple(framed[:start]), tuple(framed[start + len(own) :])
    ends = [i for i in (tokenizer.eos_token_id, tokenizer.sep_token_id) if i is not None]
    return before, after or tuple(ends[:1])


def cut_document(document: str) -> Iterator[Piece]:
    """A document as one piece, or a long one as several, each from a space on where there is one."""
    start, end = 0, 0
    while end < len(document):
        end = _find_end(document, start)
        yield Piece(document[start:end], start == 0, end == len(document))
        start = end


def _find_end(document: str, start: int) -> int:
    """Where a piece ends: before a space within the longest piece's second half, if there is one."""
    end = start + _LONGEST_PIECE
    if end >= len(document):
        return len(document)
    space = _SPACE.search(document, start + _LONGEST_PIECE // 2, end)
    return space.start() if space else end


def _gather_batches(pieces: Iterable[Piece]) -> Iterator[tuple[Piece, ...]]:
    batch: list[Piece] = []
    characters = 0
    for piece in pieces:
        batch.append(piece)
        characters += len(piece.text)
        if len(batch) >= _PIECES or characters >= _CHARACTERS:
            yield tuple(batch)
            batch, characters = [], 0
    if batch:
        yield tuple(batch)
