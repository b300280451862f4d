"""Chooses the few sentences that a terminal shows; how they are worded is the affair of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

#: How many sentences close a screen. The rest is in JSON.
MOST_SENTENCES: Final = 5
#: The rank of what a screen says elsewhere, as below a table.
SAID_ELSEWHERE: Final = 9


@dataclass(frozen=True, order=True)
class Ranked:
    """A sentence with how much it matters: 0 is what is said before all else."""

    rank: int
    text: str


def rank_first(sentences: Iterable[str], first: int, rest: int, count: int = 1) -> list[Ranked]:
    """The first `count` sentences of a kind matter by `first`, the others by `rest`."""
    return [Ranked(first if i < count else rest, text) for i, text in enumerate(sentences)]


def list_texts(sentences: Iterable[Ranked]) -> list[str]:
    """All of them, in their order; what was said is not repeated."""
    return list(dict.fromkeys(sentence.text for sentence in sentences))


def choose_closing(sentences: Sequence[Ranked], where: str = "") -> list[str]:
    """The five that matter most, in their order.

    Args:
        where: where the others are, said in place of the fifth; empty where a screen says that elsewhere.
    """
    sentences = [sentence for sentence in sentences if sentence.rank < SAID_ELSEWHERE]
    texts = list_texts(sentences)
    if len(texts) <= MOST_SENTENCES:
        return texts
    most = MOST_SENTENCES - bool(where)
    ranks = {text: min(one.rank for one in sentences if one.text == text) for text in texts}
    chosen = set(sorted(texts, key=ranks.__getitem__)[:most])
    shown = [text for text in texts if text in chosen]
    return [*shown, f"{len(texts) - most} more notes: {where}."] if where else shown
