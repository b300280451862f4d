"""Turns rows of ids back into text, by the kind of pieces that a dictionary holds."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from headstart.data.fairseq.dictionary import SPECIALS, Dictionary
from headstart.data.fairseq.gpt2_files import join_bytes, read_encoder
from headstart.errors import DataError

#: What stands in a text for `<unk>`: a character for private use, which normalisation leaves as it is, and
#: which vocabularies do not hold, so that the text has the same ids again.
UNKNOWN_CHARACTER: Final = "\ue000"
_SPACE: Final = "▁"
_CONTINUED: Final = "@@"
_BYTE: Final = re.compile(r"<0x([0-9A-F]{2})>")
#: Turns the pieces of a text into the text.
Join = Callable[[Sequence[str]], str]


def choose_join(dictionary: Dictionary, folders: Sequence[Path]) -> Join:
    """How pieces become text: by SentencePiece's mark of a space, GPT-2's numbers or fastBPE's `@@`.

    Symbols that have none of these are words. GPT-2's tokens are in `encoder.json` in one of `folders`.

    Raises:
        DataError: the symbols are GPT-2's numbers, and that file is in none of them, or damaged.
    """
    words = dictionary.words
    if any(_SPACE in word for word in words):
        return join_pieces
    if words and all(word.isdecimal() for word in words):
        return _make_gpt2_join(words, folders)
    if any(word.endswith(_CONTINUED) for word in words):
        return join_continued
    return " ".join


def join_pieces(pieces: Sequence[str]) -> str:
    """The text of SentencePiece's pieces, those of single bytes included."""
    text = "".join(pieces)
    if _BYTE.search(text):
        text = re.sub(f"(?:{_BYTE.pattern})+", _join_byte_pieces, text)
    return text.replace(_SPACE, " ").strip()


def _join_byte_pieces(found: re.Match[str]) -> str:
    return bytes(int(byte, 16) for byte in _BYTE.findall(found[0])).decode("utf-8", errors="replace")


def join_continued(pieces: Iterable[str]) -> str:
    """The text of fastBPE's pieces: one that ends with `@@` goes on in the next."""
    return f"{' '.join(pieces)} ".replace(f"{_CONTINUED} ", "").rstrip()


def _make_gpt2_join(words: Sequence[str], folders: Sequence[Path]) -> Join:
    places = [folder / name for folder in folders for name in ("encoder.json", "vocab.json")]
    file = next(filter(os.path.lexists, places), None)
    if file is None:
        raise DataError(
            "a dictionary of numbers, as of GPT-2's tokens, and no encoder.json to read them by",
            where=str(folders[0]),
            expected=f"encoder.json in {' or '.join(map(str, folders))}",
            fix="copy it there from where the texts were encoded",
        )
    tokens = {str(number): token for token, number in read_encoder(file).items()}
    _check_tokens(words, tokens, file)
    return lambda pieces: "".join(_join_known(pieces, tokens))


def _check_tokens(words: Sequence[str], tokens: Mapping[str, str], file: Path) -> None:
    """See that each number of the dictionary has a token: texts would else be numbers in part."""
    without = [word for word in words if word not in tokens]
    if without:
        raise DataError(
            f"no token has number {without[0]}, which dict.txt lists ({len(without):,} such numbers)",
            where=str(file),
            expected="the encoder.json by which the texts were encoded",
            fix="copy it there from where the texts were encoded",
        )


def _join_known(pieces: Sequence[str], tokens: dict[str, str]) -> Iterable[str]:
    """The text between symbols that are no tokens, and these as they are."""
    run: list[str] = []
    for piece in pieces:
        if piece in tokens:
            run.append(tokens[piece])
            continue
        yield join_bytes(run)
        yield piece
        run = []
    yield join_bytes(run)


def list_pieces(ids: Sequence[int], dictionary: Dictionary, where: str) -> list[str]:
    """The symbols of a row without its start and end; `UNKNOWN_CHARACTER` for `<unk>`.

    Raises:
        DataError: an id that no line of the dictionary has.
    """
    wrong = next((i for i in ids if not 0 <= i < len(dictionary)), None)
    if wrong is not None:
        raise DataError(
            f"id {wrong}, and the dictionary has {len(dictionary)} symbols",
            where=where,
            expected="the dict.txt of the same run of fairseq-preprocess",
        )
    # CamemBERT's dictionary has two of each.
    left_out = {*map(SPECIALS.index, ("<s>", "<pad>", "</s>")), dictionary.bos, dictionary.eos}
    kept = (i for i in ids if i not in left_out)
    return [UNKNOWN_CHARACTER if i == dictionary.unk else dictionary.symbols[i] for i in kept]
