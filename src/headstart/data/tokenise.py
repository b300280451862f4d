"""Texts become token ids once, kept memory-mapped under the hash of texts, tokenizer and length limit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.cache import open_entry, restore_entry
from headstart.data.corpus import Text
from headstart.data.special_tokens import SpecialTokens
from headstart.data.token_key import hash_tokenizer
from headstart.errors import DataError
from headstart.os_faults import MachineError

Encode = Callable[[Sequence[Text], Any, int], "Tokens"]

#: Texts that a tokenizer takes at once.
_CHUNK = 1024
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
            restore_entry(self.folder, partial(_save_tokens, self))
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

    @cache  # a cache that cannot be written is noticed when they are there
    def encode() -> Tokens:
        return (encoder or encode_texts)(texts, tokenizer, max_length)

    name = _hash_texts(texts, tokenizer, max_length, fingerprint)
    return _load_tokens(open_entry("tokens", name, lambda folder: _save_tokens(encode(), folder)))


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
    ids, types, lengths, truncated = [], [], [0], 0
    for encoded in _encode_chunks(texts, tokenizer, max_length):
        ids += [np.asarray(text_ids, np.int32) for text_ids in encoded["input_ids"]]
        types += [np.asarray(text_types, np.int8) for text_types in encoded.get("token_type_ids", ())]
        lengths += map(len, encoded["input_ids"])
        truncated += _count_truncated(encoded, tokenizer, max_length)
    return Tokens(
        np.concatenate(ids), np.cumsum(lengths), np.concatenate(types) if types else None, truncated
    )


def _encode_chunks(texts: Sequence[Text], tokenizer: Any, max_length: int) -> Iterator[Any]:
    special = SpecialTokens.of(
        tokenizer
    )  # where texts name some it copies the tokenizer: once for all chunks
    for start in range(0, len(texts), _CHUNK):
        yield _encode_batch(texts[start : start + _CHUNK], special, max_length)


def _count_truncated(encoded: Any, tokenizer: Any, max_length: int) -> int:
    """How many of the encoded texts lost tokens; without a fast tokenizer, how many reach the limit."""
    if tokenizer.is_fast:
        return sum(bool(encoding.overflowing) for encoding in encoded.encodings)
    return sum(len(text_ids) >= max_length for text_ids in encoded["input_ids"])


def _save_tokens(tokens: Tokens, folder: Path) -> None:
    np.save(folder / "ids.npy", tokens.input_ids)
    np.save(folder / "starts.npy", tokens.starts)
    np.save(folder / "truncated.npy", np.array(tokens.truncated))
    if tokens.token_type_ids is not None:
        np.save(folder / "types.npy", tokens.token_type_ids)
    if tokens.loss_mask is not None:
        np.save(folder / "loss_mask.npy", tokens.loss_mask)


def _load_tokens(folder: Path) -> Tokens:
    """The tokens of an entry of the cache, which was found whole before.

    Raises:
        DataError: it was removed meanwhile.
    """
    try:
        return Tokens(
            input_ids=_load(folder / "ids.npy"),
            starts=np.load(folder / "starts.npy"),
            token_type_ids=_load_if_there(folder / "types.npy"),
            truncated=int(np.load(folder / "truncated.npy")),
            folder=folder,
            loss_mask=_load_if_there(folder / "loss_mask.npy"),
        )
    except FileNotFoundError as error:
        raise DataError(
            "the cache entry was removed while the study ran",
            where=str(folder),
            fix="run again, and clean the cache when nothing runs",
        ) from error


def _load(file: Path) -> np.ndarray:
    array: np.ndarray = np.load(file, mmap_mode="r" if file.stat().st_size >= _MAPPED_BYTES else None)
    return array


def _load_if_there(file: Path) -> np.ndarray | None:
    return _load(file) if file.is_file() else None
