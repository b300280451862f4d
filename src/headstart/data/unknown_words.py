"""Measures how many words of texts a tokenizer knows: others become its unknown token, or nothing.

Shapes: N texts, W words in all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from headstart.data.special_tokens import SpecialTokens
from headstart.data.texts import iterate_words

#: Texts, spread over all, and different words that are looked at: shares are of these.
MAX_TEXTS: Final = 500
MAX_WORDS: Final = 5000
#: What stands for a space alone: a piece of a word, but none of its letters.
_SPACES: Final = frozenset({"▁", "Ġ", " ", ""})


@dataclass(frozen=True)
class UnknownWords:
    """`share` of the words' tokens that are unknown, from 0 to 1, and the unknown words that occur most."""

    share: float
    examples: tuple[str, ...]


def measure_unknown_words(texts: Sequence[str], tokenizer: Any) -> UnknownWords:
    """The share of words that `tokenizer` does not know among those of `texts`; words are parted by spaces.

    A word of several tokens counts by their share; one without any token, which the tokenizer dropped, as
    wholly unknown.
    """
    step = max(1, len(texts) // MAX_TEXTS)
    counts = Counter(word for text in texts[::step] for word in iterate_words(text))
    words = [word for word, _ in counts.most_common(MAX_WORDS)]
    if not words:
        return UnknownWords(0.0, ())
    unknown = {word: counts[word] * part for word, part in zip(words, _rate(words, tokenizer), strict=True)}
    examples = sorted((word for word in words if unknown[word]), key=lambda word: -unknown[word])
    share = sum(unknown.values()) / sum(counts[word] for word in words)
    return UnknownWords(share, tuple(examples[:3]))


def _rate(words: Sequence[str], tokenizer: Any) -> list[float]:
    """For each word the share of its tokens that are unknown, [W]."""
    encoded = tokenizer(list(words), add_special_tokens=False, return_attention_mask=False, verbose=False)
    ids = list(encoded["input_ids"])
    # GPT-2's unknown token is its end token: where a text names it, it is text, and is known.
    special = SpecialTokens.of(tokenizer)
    mark = special.choose_mark(words)
    for i, word in enumerate(words):
        if special.are_named_in([word]):
            ids[i] = special.encode(special.mark(word, mark), mark)
    return [_rate_word(of_word, tokenizer) for of_word in ids]


def _rate_word(ids: Sequence[int], tokenizer: Any) -> float:
    pieces: list[str | None] = [
        piece for piece in tokenizer.convert_ids_to_tokens(ids) if piece not in _SPACES
    ]
    if not pieces:
        return 1.0
    return pieces.count(tokenizer.unk_token) / len(pieces)
