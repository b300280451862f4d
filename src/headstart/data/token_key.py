"""One hash of all that a tokenizer's tokens depend on: its state, and what it makes of fixed probe texts."""

# ruff: noqa: RUF001 - letters that look alike are what the probes below are for

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

#: Attributes beside the fast tokenizer's state that change what a call gives.
_ATTRIBUTES: Final = (
    "model_input_names",
    "special_tokens_map",
    "truncation_side",
    "split_special_tokens",
    "chat_template",
)
#: What tokens do not depend on: where the tokenizer came from, and limits that each call sets.
_PASSED_OVER: Final = frozenset({"name_or_path", "_commit_hash", "model_max_length", "vocab_file"})
#: Texts that show in what tokenizers differ: case, accents, forms of one letter, spaces, digits, scripts,
#: signs that few vocabularies hold, and marks of turns and special tokens as text.
PROBES: Final = (
    "The QUICK brown fox's 3.14159 isn't 12,345 – “quoted”…",
    "Ærøskøbing café cafe\u0301 naïve ﬁancé ＦＵＬＬ ｗｉｄｔｈ straße İstanbul",
    "  two  spaces\tand\ta tab\nand\r\nlines\u00a0\u200b\u3000end  ",
    "Привет, мир! Γειά σου Κόσμε. שלום עולם مرحبا بالعالم नमस्ते दुनिया",
    "自然语言处理很有趣。 日本語のテキスト、カタカナ。 한국어 문장입니다 ภาษาไทย",
    "😀 👩‍👩‍👧 ☕ 🇩🇪 ∑∫√ ₹€$ \U0001d54f \ue000",
    "def f(x):\n    return x ** 2  # code_with_underscores and http://a.b/c?d=e&f=g",
    "<s> </s> [CLS] [SEP] [PAD] [MASK] [UNK] <pad> <unk> <mask> <|endoftext|> <|im_start|> <human>: x",
    "antidisestablishmentarianism Donaudampfschifffahrtsgesellschaft aaaaaaaaaaaaaaaa",
    "",
)
#: Few enough that the longest probes are cut, so that the side shows which is cut.
_LENGTH: Final = 8
#: Hashes of tokenizers, while `hashing_once` holds.
_HASHES: Final[ContextVar[dict[Any, str] | None]] = ContextVar("_HASHES", default=None)


@contextmanager
def hashing_once() -> Iterator[None]:
    """Within it each tokenizer is hashed once, at its first set of tokens: none may change in it."""
    token = _HASHES.set({})
    try:
        yield
    finally:
        _HASHES.reset(token)


def hash_tokenizer(tokenizer: Any) -> str:
    """Differs between tokenizers that give any text other tokens, as well as can be told."""
    known = _HASHES.get()
    if known is None:
        return _hash(tokenizer)
    if tokenizer not in known:
        known[tokenizer] = _hash(tokenizer)
    return known[tokenizer]


def _hash(tokenizer: Any) -> str:
    parts = {
        "class": type(tokenizer).__name__,
        "state": _read_state(tokenizer),
        "added": {i: repr(token) for i, token in tokenizer.added_tokens_decoder.items()},
        "attributes": {name: repr(getattr(tokenizer, name, None)) for name in _ATTRIBUTES},
        "probes": [_encode_probes(tokenizer, pairs=pairs) for pairs in (False, True)],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()


def _read_state(tokenizer: Any) -> Any:
    """The fast tokenizer's whole state, or the vocabulary and the settings of another."""
    if not tokenizer.is_fast:
        settings = {k: repr(v) for k, v in tokenizer.init_kwargs.items() if k not in _PASSED_OVER}
        return sorted(tokenizer.get_vocab().items()), settings
    # The limits of its last call stay in a tokenizer, before its tokens: they are no part of what it is.
    # The text is cut: to parse and sort it took longer than all the rest.
    return tokenizer.backend_tokenizer.to_str().partition('"added_tokens"')[2]


def _encode_probes(tokenizer: Any, *, pairs: bool) -> Any:
    """What the tokenizer gives for the probes: whole and cut, alone and as pairs of neighbours."""
    columns = (list(PROBES), list(reversed(PROBES))) if pairs else (list(PROBES),)
    whole = tokenizer(*columns, verbose=False)
    cut = tokenizer(*columns, truncation=True, max_length=_LENGTH, verbose=False)
    return [{name: encoded[name] for name in sorted(encoded)} for encoded in (whole, cut)]
