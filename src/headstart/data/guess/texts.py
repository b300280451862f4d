"""Guesses which column holds the texts, or which two hold those of a pair."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headstart.data.guess.columns import Column
from headstart.data.guess.names import TEXTS, find_named, find_pair
from headstart.errors import DataError

#: Of a second text at least so many cells differ.
_SHARE_DIFFERENT: Final = 0.2


@dataclass(frozen=True)
class TextGuess:
    """One column of texts, or two of pairs; `doubts` name further ones."""

    columns: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def guess_texts(columns: Mapping[str, Column], labels: Collection[str], file: Path) -> TextGuess:
    """Two columns that are called a pair; else the one with a text's name; else the longest.

    Raises:
        DataError: no column beside the labels holds texts.
    """
    texts = {name: column for name, column in columns.items() if column.is_text and name not in labels}
    useful = {name: column for name, column in texts.items() if column.say_why_useless() is None} or texts
    if not useful:
        beside = ", ".join(map(repr, labels))
        raise DataError(f"no text column besides {beside}", where=str(file), fix="name it: --text COLUMN")
    pair = find_pair([*useful])
    if pair is not None:
        return TextGuess(pair, tuple(_mention_others(useful, pair)))
    chosen = find_named(useful, TEXTS) or max(useful, key=lambda name: useful[name].median_words)
    return TextGuess((chosen,), tuple(_mention_others(useful, (chosen,))))


def _mention_others(columns: Mapping[str, Column], chosen: tuple[str, ...]) -> list[str]:
    others = [
        name
        for name, column in columns.items()
        if name not in chosen and column.is_long and column.share_different >= _SHARE_DIFFERENT
    ]
    if not others:
        return []
    if len(chosen) > 1:
        return [f"{', '.join(others)} also contain texts, and are not used"]
    pairs = [[column for column in columns if column in (*chosen, name)] for name in others[:2]]
    return [
        f"{name} holds texts too: as a pair, `text: [{', '.join(pair)}]`"
        for name, pair in zip(others, pairs, strict=False)
    ]
