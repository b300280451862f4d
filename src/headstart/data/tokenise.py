"""Texts become token ids once, kept memory-mapped under the hash of texts, tokenizer and length limit."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.assets import cache_folder
from headstart.data.corpus import Text

Encode = Callable[[Sequence[Text], Any, int], "Tokens"]

_CHUNK = 1024
_FORMAT = "tokens-1"
_OLDEST_KEPT = 64


@dataclass(frozen=True)
class Tokens:
    """N texts as token ids, end to end: text i is `ids[starts[i]:starts[i+1]]`.

    `ids` and `types` (token type ids, absent for models without them) have shape [sum of lengths];
    `starts` has shape [N+1]; `truncated` is the number of texts that were cut. Tokens that lie in `folder`
    travel to another process as its name. `targets`, of instruction alone, has the shape of `ids`: whether
    a token carries loss.
    """

    ids: np.ndarray
    starts: np.ndarray
    types: np.ndarray | None
    truncated: int
    folder: Path | None = None
    targets: np.ndarray | None = None

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
        if self.folder is not None:
            return _open, (self.folder,)
        return Tokens, (self.ids, self.starts, self.types, self.truncated, None, self.targets)


def tokenise(
    texts: Sequence[Text],
    tokenizer: Any,
    max_length: int,
    how: Encode | None = None,
    fingerprint: str = "",
) -> Tokens:
    """Token ids of `texts`, from the cache where these texts were met before with this tokenizer.

    Args:
        how: another way of encoding than `encode`, told from others by its `fingerprint`.
    """
    folder = cache_folder() / "tokens" / _digest(texts, tokenizer, max_length, fingerprint)
    if not (folder / "starts.npy").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        forget_oldest(folder.parent)
        _write(folder, (how or encode)(texts, tokenizer, max_length))
    return _open(folder)


def _digest(texts: Sequence[Text], tokenizer: Any, max_length: int, more: str) -> str:
    sha = hashlib.sha256(f"{_FORMAT} {max_length} {_fingerprint(tokenizer)}{more}".encode())
    for text in texts:
        sha.update(("\x1f".join(text) if isinstance(text, tuple) else text).encode() + b"\x1e")
    return sha.hexdigest()[:32]


def _fingerprint(tokenizer: Any) -> str:
    """Everything the ids depend on: the fast tokenizer's whole state, else its class and vocabulary."""
    if tokenizer.is_fast:
        whole = json.loads(tokenizer.backend_tokenizer.to_str())
        # The limits of its last call stay in a tokenizer: they are no part of what it is.
        state = json.dumps({key: whole[key] for key in whole if key not in ("truncation", "padding")})
    else:
        state = repr((type(tokenizer).__name__, sorted(tokenizer.get_vocab().items())))
    names = (state, str(tokenizer.model_input_names), str(tokenizer.special_tokens_map))
    return hashlib.sha256("\x1f".join(names).encode()).hexdigest()


def encode_batch(texts: Sequence[Text], tokenizer: Any, max_length: int) -> Any:
    """The tokenizer's own encoding of a few texts, cut at `max_length`, without padding."""
    pairs = isinstance(texts[0], tuple)
    columns = list(zip(*texts, strict=True)) if pairs else [texts]
    return tokenizer(
        *map(list, columns),
        truncation=True,
        max_length=max_length,
        return_attention_mask=False,
        verbose=False,
    )


def encode(texts: Sequence[Text], tokenizer: Any, max_length: int) -> Tokens:
    """Token ids of `texts`, in memory only."""
    ids, types, lengths, truncated = [], [], [0], 0
    for encoded in _chunks(texts, tokenizer, max_length):
        ids += [np.asarray(one, np.int32) for one in encoded["input_ids"]]
        types += [np.asarray(one, np.int8) for one in encoded.get("token_type_ids", ())]
        lengths += map(len, encoded["input_ids"])
        truncated += _cut(encoded, tokenizer, max_length)
    return Tokens(
        np.concatenate(ids), np.cumsum(lengths), np.concatenate(types) if types else None, truncated
    )


def _chunks(texts: Sequence[Text], tokenizer: Any, max_length: int) -> Iterator[Any]:
    for start in range(0, len(texts), _CHUNK):
        yield encode_batch(texts[start : start + _CHUNK], tokenizer, max_length)


def _cut(encoded: Any, tokenizer: Any, max_length: int) -> int:
    """How many of the encoded texts lost tokens; without a fast tokenizer, how many reach the limit."""
    if tokenizer.is_fast:
        return sum(bool(one.overflowing) for one in encoded.encodings)
    return sum(len(one) >= max_length for one in encoded["input_ids"])


def _write(folder: Path, tokens: Tokens) -> None:
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".write-"))
    np.save(scratch / "ids.npy", tokens.ids)
    np.save(scratch / "truncated.npy", np.array(tokens.truncated))
    if tokens.types is not None:
        np.save(scratch / "types.npy", tokens.types)
    if tokens.targets is not None:
        np.save(scratch / "targets.npy", tokens.targets)
    np.save(scratch / "starts.npy", tokens.starts)
    try:
        scratch.replace(folder)
    except OSError:  # another process wrote the same tokens meanwhile
        shutil.rmtree(scratch)


def _open(folder: Path) -> Tokens:
    os.utime(folder)
    types, targets = folder / "types.npy", folder / "targets.npy"
    return Tokens(
        ids=np.load(folder / "ids.npy", mmap_mode="r"),
        starts=np.load(folder / "starts.npy"),
        types=np.load(types, mmap_mode="r") if types.is_file() else None,
        truncated=int(np.load(folder / "truncated.npy")),
        folder=folder,
        targets=np.load(targets, mmap_mode="r") if targets.is_file() else None,
    )


def forget_oldest(folder: Path) -> None:
    """Keep a folder of the cache small: the entries used longest ago go."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    for entry in sorted(entries, key=lambda e: e.stat().st_mtime)[: -_OLDEST_KEPT or None]:
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
