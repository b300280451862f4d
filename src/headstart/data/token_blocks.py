"""A corpus becomes blocks of tokens, memory-mapped in the cache by the hash of all it depends on."""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from headstart.data.cache import open_entry, reading_entry
from headstart.data.encode_documents import DocumentEncoder, EncodedPieces, Piece
from headstart.data.text_corpus import Corpus
from headstart.data.token_files import ArrayFile
from headstart.data.token_key import hash_tokenizer
from headstart.data.word_starts import WordMarks, find_word_marks
from headstart.errors import DataError
from headstart.processors import count_processors
from headstart.stages import tell_stage
from headstart.wording import format_count

#: Version of the files in the cache, and a part of their key.
_FORMAT: Final = "blocks-1"
_TOKENS, _STARTS, _FACTS = "tokens.npy", "word_starts.npy", "facts.json"
#: Tokens that are counted at once.
_COUNTED_AT_ONCE: Final = 1 << 24


@dataclass(frozen=True)
class TokenBlocks:
    """N blocks of T tokens: every token of every document once, in order.

    Documents stand end to end, each with the tokens that its tokenizer puts around it (RoBERTa: `<s> text
    </s>`; see `DocumentEncoder`), and the whole is cut every T tokens, as `group_texts` of transformers'
    run_mlm.py does: a block may begin within a document, and what is left at the end is dropped.

    Attributes:
        tokens: [N, T], uint16 or int32, memory-mapped, read-only.
        word_starts: [N, T], bool, memory-mapped: whether a token begins a word, as special tokens do.
        n_bytes: UTF-8 bytes of the text in the N blocks.
        n_documents: documents of which a token is in the N blocks.
        digest: SHA-256 of corpus, tokenizer and block length.
    """

    tokens: np.ndarray
    word_starts: np.ndarray
    n_bytes: int
    n_documents: int
    digest: str

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def n_tokens(self) -> int:
        """Tokens in all blocks, N x T."""
        return int(self.tokens.size)


class FewTokensError(DataError):
    """The documents do not fill one block of `block` tokens."""

    def __init__(self, documents: int, tokens: int, block: int) -> None:
        self.tokens = tokens
        held = f"{format_count(documents, 'document')} with {format_count(tokens, 'token')} in all"
        super().__init__(
            f"{held}, less than one block" if documents else "no documents",
            expected=f"{block:,} tokens at least, the length of a block",
            fix="more text, or a shorter block",
        )

    def name_key(self, key: str, otherwise: str) -> DataError:
        """The same, with the key that sets the length of a block, and what else helps."""
        if self.tokens < 2:  # no block is so short
            return DataError(self.got, expected=self.expected, fix=otherwise)
        fix = f"set {key} to {self.tokens:,} or less, or {otherwise}"
        return DataError(self.got, where=key, expected=self.expected, fix=fix)


@dataclass(frozen=True)
class _Facts:
    n_bytes: int
    n_documents: int


def build_token_blocks(
    corpus: Corpus, tokenizer: Any, *, block: int, folder: Path | None = None, workers: int | None = None
) -> TokenBlocks:
    """The blocks of a corpus, from the cache where they were built before.

    Args:
        tokenizer: a fast one, which all processors share, or one in Python.
        block: T, tokens of a block.
        folder: of the cache; None for the user's.
        workers: threads that tokenise; None for one a processor.

    Raises:
        DataError: a document cannot be read, or all of them do not fill one block.
        ModelError: the tokenizer is none that can be used.
        MachineError: the cache cannot be written.
    """
    encoder = DocumentEncoder(tokenizer)
    key = f"{_FORMAT} {corpus.digest} {hash_tokenizer(tokenizer)} {encoder.before} {encoder.after} {block}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    is_new = False

    def write(target: Path) -> None:
        nonlocal is_new
        is_new = True
        tell_stage("tokenising the corpus")
        # Closed where the disk is full too: until then no other call may encode, and there is one to come.
        with closing(encoder.encode_all(corpus.iterate(), workers or count_processors())) as batches:
            _write_blocks(batches, encoder, find_word_marks(tokenizer), block, target)
        corpus.check_unchanged()

    entry = open_entry("blocks", digest[:32], write, folder)
    if not is_new:
        tell_stage(f"taking the tokenised corpus from {entry}")
    return _load_blocks(entry, digest)


def _write_blocks(
    batches: Iterable[EncodedPieces], encoder: DocumentEncoder, marks: WordMarks, block: int, folder: Path
) -> None:
    tail = _Tail(encoder, block)
    with ExitStack() as stack:
        tokens = ArrayFile(stack.enter_context((folder / _TOKENS).open("wb")), encoder.dtype, block)
        words = ArrayFile(stack.enter_context((folder / _STARTS).open("wb")), np.dtype(np.bool_), block)
        for batch in batches:
            tokens.append(batch.ids)
            words.append(_mark_words(batch, marks, len(encoder.before)))
            tail.add(batch)
        tokens.finish()
        words.finish()
    facts = tail.measure()
    (folder / _FACTS).write_text(json.dumps(asdict(facts)), encoding="utf-8")


def _mark_words(batch: EncodedPieces, marks: WordMarks, before: int) -> np.ndarray:
    """Which tokens begin a word: those that look so, and the first of each document."""
    marked = marks.mark(batch.ids)
    begins = np.cumsum(batch.lengths) - batch.lengths
    first = begins[[piece.is_first for piece in batch.pieces]] + before
    marked[first[first < len(marked)]] = True
    return marked


class _Tail:
    """Counts documents and bytes, and keeps the last pieces: of those a part is in no whole block."""

    def __init__(self, encoder: DocumentEncoder, block: int) -> None:
        self._encoder, self._block = encoder, block
        self._tokens = self._bytes = self._documents = 0
        self._last: deque[tuple[Piece, int]] = deque()
        self._kept = 0

    def add(self, batch: EncodedPieces) -> None:
        """Count a batch."""
        self._tokens += len(batch.ids)
        self._bytes += sum(len(piece.text.encode()) for piece in batch.pieces)
        self._documents += sum(piece.is_first for piece in batch.pieces)
        for piece, length in zip(batch.pieces, batch.lengths.tolist(), strict=True):
            self._last.append((piece, length))
            self._kept += length
        while self._last and self._kept - self._last[0][1] >= self._block:
            self._kept -= self._last.popleft()[1]

    def measure(self) -> _Facts:
        """Documents and bytes of the whole blocks.

        Raises:
            DataError: there is none.
        """
        if self._tokens < self._block:
            raise FewTokensError(self._documents, self._tokens, self._block)
        dropped, n_bytes, documents = self._tokens % self._block, self._bytes, self._documents
        while dropped:
            piece, length = self._last.pop()
            kept = max(length - dropped, 0)
            dropped -= length - kept
            n_bytes -= len(piece.text.encode()) - self._encoder.count_bytes(piece, kept)
            documents -= piece.is_first and kept == 0
        return _Facts(n_bytes, documents)


def _load_blocks(folder: Path, digest: str) -> TokenBlocks:
    """The blocks of an entry of the cache, which was found whole before.

    Raises:
        DataError: it was removed meanwhile.
    """
    with reading_entry(folder, "command"):
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        tokens, starts = (np.load(folder / name, mmap_mode="r") for name in (_TOKENS, _STARTS))
    return TokenBlocks(tokens, starts, facts["n_bytes"], facts["n_documents"], digest)


def unigram_entropy(blocks: TokenBlocks, leave_out: Iterable[int] = ()) -> float:
    """Entropy of how often each token occurs, in nats per token: -sum of p log p.

    It is the loss of a model that knows these shares and no context, which a masked-language model has to
    beat.

    Args:
        leave_out: ids that do not count, such as those that are never masked.
    """
    counts = np.zeros(0, np.int64)
    flat = blocks.tokens.reshape(-1)
    for start in range(0, len(flat), _COUNTED_AT_ONCE):
        more = np.bincount(flat[start : start + _COUNTED_AT_ONCE], minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    kept = [i for i in leave_out if 0 <= i < len(counts)]
    counts[kept] = 0
    shares = counts[counts > 0] / max(int(counts.sum()), 1)
    return float(-(shares * np.log(shares)).sum()) + 0.0


def bits_per_byte(loss: float, blocks: TokenBlocks) -> float:
    """A loss in nats per token as bits per byte of text, which compares models with other tokenizers.

    `loss * tokens / (ln 2 * bytes)`; of a masked-language model it is no code length of the text, as each
    token is read with what stands behind it.
    """
    return loss * blocks.n_tokens / (math.log(2.0) * blocks.n_bytes)
