"""Texts become token ids once, kept memory-mapped under the hash of texts, tokenizer and length limit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.cache import open_entry, reading_entry, restore_entry
from headstart.data.corpus import Text
from headstart.data.long_texts import cut_long_texts
from headstart.data.special_tokens import SpecialTokens
from headstart.data.token_files import TokenWriter
from headstart.data.token_key import hash_tokenizer
from headstart.os_faults import MachineError

Encode = Callable[[Sequence[Text], Any, int], "Tokens"]

#: Texts that a tokenizer takes at once.
_CHUNK = 1024
#: Texts whose tokens are in memory at once, on their way into the cache.
_CACHED_AT_ONCE = 16 * _CHUNK
#: Version of the files in the cache, and a part of their key.
_FORMAT = "tokens-4"
#: Files below this are read, not mapped: a map keeps its file open, and a study may have hundreds of sets.
_MAPPED_BYTES = 1 << 20


@dataclass(frozen=True)
class Tokens:
    """N texts as token ids, end to end: text i is `input_ids[starts[i]:starts[i+1]]`.

    `input_ids` and `token_type_ids` (token type ids, absent for models without them) have shape [sum of
    lengths]; `starts` has shape [N+1]; `truncated` is the number of texts that were cut. Tokens that lie in
    `folder` travel to another process as its name. `loss_mask`, of conversations alone, has the shape of
    `input_ids`: whether the loss counts a token.
    """

    input_ids: np.ndarray
    starts: np.ndarray
    token_type_ids: np.ndarray | None
    truncated: int
    folder: Path | None = None
    loss_mask: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, shape [N]."""
        return np.diff(self.starts)

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest text."""
        return int(self.lengths.max(initial=0))

    def __reduce__(self) -> tuple[Any, ...]:
        if self.folder is not None and self._is_kept():
            return _load_tokens, (self.folder,)
        return Tokens, (
            self.input_ids,
            self.starts,
            self.token_type_ids,
            self.truncated,
            self.folder,
            self.loss_mask,
        )

    def _is_kept(self) -> bool:
        """Whether its folder is there, for another process to read: one that was removed is written again."""
        assert self.folder is not None
        try:
            restore_entry(self.folder, partial(_save_tokens, [self]))
        except MachineError:
            return False
        return True


def tokenise(
    texts: Sequence[Text],
    tokenizer: Any,
    max_length: int,
    encoder: Encode | None = None,
    fingerprint: str = "",
) -> Tokens:
    """Token ids of `texts`, from the cache where these texts were encoded before with this tokenizer.

    Args:
        encoder: another way of encoding than `encode_texts`, told from others by its `fingerprint`.
    """
    encode = encoder or encode_texts

    def write(folder: Path) -> None:
        chunks = (encode(chunk, tokenizer, max_length) for chunk in _iterate_chunks(texts))
        _save_tokens(chunks, folder)

    name = _hash_texts(texts, tokenizer, max_length, fingerprint)
    return _load_tokens(open_entry("tokens", name, write))


def _hash_texts(texts: Sequence[Text], tokenizer: Any, max_length: int, fingerprint: str) -> str:
    sha = hashlib.sha256(f"{_FORMAT} {max_length} {hash_tokenizer(tokenizer)}{fingerprint}".encode())
    for text in texts:
        sha.update(("\x1f".join(text) if isinstance(text, tuple) else text).encode() + b"\x1e")
    return sha.hexdigest()[:32]


def encode_batch(texts: Sequence[Text], tokenizer: Any, max_length: int) -> Any:
    """The tokenizer's own encoding of a few texts, cut at `max_length`, without padding.

    Special tokens that a text names are text.
    """
    return _encode_batch(texts, SpecialTokens.of(tokenizer), max_length)


def _encode_batch(texts: Sequence[Text], special: SpecialTokens, max_length: int) -> Any:
    texts = cut_long_texts(texts, special.tokenizer, max_length)
    if special.are_named_in(texts):
        return special.encode_batch(texts, max_length)
    pairs = isinstance(texts[0], tuple)
    columns = list(zip(*texts, strict=True)) if pairs else [texts]
    return special.tokenizer(
        *map(list, columns),
        truncation=True,
        max_length=max_length,
        return_attention_mask=False,
        verbose=False,
    )


def encode_texts(texts: Sequence[Text], tokenizer: Any, max_length: int) -> Tokens:
    """Token ids of `texts`, in memory only."""
    ids: list[np.ndarray] = []
    types: list[np.ndarray] = []
    lengths, truncated = [0], 0
    for encoded in _encode_chunks(texts, tokenizer, max_length):
        ids.append(_flatten(encoded["input_ids"], np.int32))
        if "token_type_ids" in encoded:
            types.append(_flatten(encoded["token_type_ids"], np.int8))
        lengths += map(len, encoded["input_ids"])
        truncated += _count_truncated(encoded, tokenizer, max_length)
    return Tokens(
        np.concatenate(ids), np.cumsum(lengths), np.concatenate(types) if types else None, truncated
    )


def _flatten(rows: Sequence[Sequence[int]], dtype: type[np.integer]) -> np.ndarray:
    """Rows of numbers, end to end."""
    return np.fromiter(chain.from_iterable(rows), dtype, sum(map(len, rows)))


def _iterate_chunks(texts: Sequence[Text]) -> Iterator[Sequence[Text]]:
    """The texts, so many at once that what is made of them fits into memory."""
    for start in range(0, len(texts), _CACHED_AT_ONCE):
        yield texts[start : start + _CACHED_AT_ONCE]


def _encode_chunks(texts: Sequence[Text], tokenizer: Any, max_length: int) -> Iterator[Any]:
    # Where texts name special tokens it copies the tokenizer: once for all chunks.
    special = SpecialTokens.of(tokenizer)
    for start in range(0, len(texts), _CHUNK):
        yield _encode_batch(texts[start : start + _CHUNK], special, max_length)


def _count_truncated(encoded: Any, tokenizer: Any, max_length: int) -> int:
    """How many of the encoded texts lost tokens; without a fast tokenizer, how many reach the limit."""
    if tokenizer.is_fast:
        return sum(bool(encoding.overflowing) for encoding in encoded.encodings)
    return sum(len(text_ids) >= max_length for text_ids in encoded["input_ids"])


def _save_tokens(chunks: Iterable[Tokens], folder: Path) -> None:
    """Write the tokens of one chunk of texts after the other: of many texts they do not fit into memory."""
    with TokenWriter(folder) as writer:
        for tokens in chunks:
            writer.add(
                tokens.input_ids,
                tokens.starts,
                types=tokens.token_type_ids,
                loss_mask=tokens.loss_mask,
                truncated=tokens.truncated,
            )


def _load_tokens(folder: Path) -> Tokens:
    """The tokens of an entry of the cache, which was found whole before.

    Raises:
        DataError: it was removed meanwhile.
    """
    with reading_entry(folder, "study"):
        return Tokens(
            input_ids=_load(folder / "ids.npy"),
            starts=np.load(folder / "starts.npy"),
            token_type_ids=_load_if_there(folder / "types.npy"),
            truncated=int(np.load(folder / "truncated.npy")),
            folder=folder,
            loss_mask=_load_if_there(folder / "loss_mask.npy"),
        )


def _load(file: Path) -> np.ndarray:
    array: np.ndarray = np.load(file, mmap_mode="r" if file.stat().st_size >= _MAPPED_BYTES else None)
    return array


def _load_if_there(file: Path) -> np.ndarray | None:
    return _load(file) if file.is_file() else None
