"""Cuts very long texts before they are encoded, where their tokens up to the limit stay what they are.

A text is cut before a space between letters or digits. Tokenizers that split there before their model
sees a text, whatever stands behind, give such a prefix the first tokens of the whole. Others are left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from headstart.data.corpus import Text
from headstart.data.tokenizer_steps import list_steps
from headstart.errors import DataError

#: Characters from which a text is worth a look.
LONG: Final = 200_000
#: Characters of the longest text that is encoded whole: a tokenizer holds some hundred bytes for each.
MOST_WHOLE: Final = 8_000_000
#: Characters that are shown of a text.
_SHOWN: Final = 40
#: Characters of the first prefix for each token of the limit; a prefix of too few tokens is made longer.
_FIRST, _GROWTH = 16, 4
_PLACE: Final = re.compile(r"[^\W_](?= [^\W_])")
#: Steps that look at one character, or at what stands before it, and no further than the next space.
_NORMALIZERS: Final = frozenset(
    {"BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip", "Prepend"}
    | {"Precompiled", "Nmt"}
)
#: Steps that split a text at each space. Digits and punctuation split further.
_SPLITTING: Final = frozenset({"BertPreTokenizer", "Whitespace", "WhitespaceSplit"})
_SPLITTING_FURTHER: Final = frozenset({"Digits", "Punctuation"})
#: Replacements of several spaces by one, and of single characters, look no further either.
_SPACES: Final = frozenset({" {2,}", " +"})


class TextTooLongError(DataError):
    """A `text` that cannot be cut, and whose tokens would not fit into memory."""

    def __init__(self, text: Text) -> None:
        pieces = [text] if isinstance(text, str) else text
        longest = max(pieces, key=len)
        super().__init__(
            f"{sum(map(len, pieces)):,} characters, beginning with {longest[:_SHOWN]!r}",
            expected=f"{MOST_WHOLE:,} at most in a text that must be encoded as a whole: one "
            "without spaces, a pair of two long ones, a conversation, or one for a "
            "tokenizer that may join words",
            fix="shorten the text, or remove the row: only the first tokens of a text are used",
        )
        self.text = text


def check_whole(text: Text) -> None:
    """See that a text is not too long to be encoded whole.

    Raises:
        TextTooLongError: it is.
    """
    if (len(text) if isinstance(text, str) else sum(map(len, text))) > MOST_WHOLE:
        raise TextTooLongError(text)


def cut_long_texts(texts: Sequence[Text], tokenizer: Any, max_length: int) -> Sequence[Text]:
    """The texts, very long ones without the rest that no token of the first `max_length` stands for.

    What is left of them still has more tokens than that, so that they count as cut.

    Raises:
        TextTooLongError: one that cannot be cut is too long to be encoded whole.
    """
    if max(map(_measure, texts)) < LONG:
        return texts
    cut = [_cut_or_name(text, tokenizer, max_length) for text in texts] if _is_local(tokenizer) else texts
    for text in cut:
        check_whole(text)
    return cut


def _measure(text: Text) -> int:
    return len(text) if isinstance(text, str) else max(map(len, text))


def _cut_or_name(text: Text, tokenizer: Any, max_length: int) -> Text:
    """As `_cut`, whose error is of a piece of the text, or of a prefix."""
    try:
        return _cut(text, tokenizer, max_length)
    except TextTooLongError as error:
        raise TextTooLongError(text) from error


def _cut(text: Text, tokenizer: Any, max_length: int) -> Text:
    if isinstance(text, str):
        return _cut_text(text, tokenizer, max_length) if len(text) >= LONG else text
    lengths = [*map(len, text)]
    # Of two long ones it depends on both how many tokens each keeps.
    shorter = text[lengths.index(min(lengths))]
    check_whole(shorter)
    if max(lengths) < LONG or min(lengths) >= LONG or _count_tokens(shorter, tokenizer) > max_length:
        return text
    return tuple(_cut_text(one, tokenizer, max_length) if len(one) >= LONG else one for one in text)


def _cut_text(text: str, tokenizer: Any, max_length: int) -> str:
    size = _FIRST * max_length
    while place := _PLACE.search(text, size):
        prefix = text[: place.end()]
        check_whole(prefix)
        if _count_tokens(prefix, tokenizer) > max_length:
            return prefix
        size = _GROWTH * place.end()
    return text


def _count_tokens(text: str, tokenizer: Any) -> int:
    return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _is_local(tokenizer: Any) -> bool:
    """Whether the tokens before a space do not depend on what is behind it, by the tokenizer's own steps."""
    if not tokenizer.is_fast or tokenizer.truncation_side != "right":
        return False
    if any(re.search(r"[\s▁]", token.content) for token in tokenizer.added_tokens_decoder.values()):
        return False
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    splitting = list(list_steps(state["pre_tokenizer"], "pretokenizers"))
    return (
        all(map(_keeps_spaces, list_steps(state["normalizer"], "normalizers")))
        and all(step["type"] in _SPLITTING_FURTHER or _splits(step) for step in splitting)
        and any(map(_splits, splitting))
    )


def _keeps_spaces(step: Mapping[str, Any]) -> bool:
    if step["type"] != "Replace":
        return step["type"] in _NORMALIZERS
    pattern: Mapping[str, str] = step["pattern"]
    if pattern.get("Regex") in _SPACES:
        return bool(step["content"] == " ")
    return len(pattern.get("String", "")) == 1 and pattern["String"] != " "


def _splits(step: Mapping[str, Any]) -> bool:
    """Whether it splits before each space that stands behind another character."""
    if step["type"] == "ByteLevel":
        return bool(step.get("use_regex", True))
    if step["type"] == "Metaspace":
        return bool(step.get("split", True))
    return step["type"] in _SPLITTING
