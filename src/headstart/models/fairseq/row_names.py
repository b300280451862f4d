"""Gives each row of a fairseq dictionary a token of its own: those that no text reaches get a made-up one."""

from __future__ import annotations

from pathlib import Path

from headstart.data.fairseq.dictionary import BOS, EOS, MASK, PAD, SPECIALS, UNK, Dictionary
from headstart.errors import ModelError


def name_rows(dictionary: Dictionary) -> tuple[str, ...]:
    """The token of each row, [rows]: its symbol where fairseq would read the symbol as this row.

    Else it is made up: for the rows that a later line overwrites, and symbols with white space in them, at
    which fairseq would divide them.
    """
    ids = dict(dictionary.indices) | find_special_ids(dictionary)
    return tuple(
        symbol if ids[symbol] == i and symbol.split() == [symbol] else make_up(i)
        for i, symbol in enumerate(dictionary.symbols)
    )


def make_up(row: int) -> str:
    """The token of a row that no text reaches."""
    return f"<unused{row}>"


def find_special_ids(dictionary: Dictionary) -> dict[str, int]:
    """The ids of the special tokens, by token."""
    ids = {BOS: dictionary.bos, PAD: dictionary.pad, EOS: dictionary.eos, UNK: dictionary.unk}
    return ids if dictionary.mask is None else ids | {MASK: dictionary.mask}


def check_special_rows(dictionary: Dictionary, file: Path) -> None:
    """See that the special tokens have rows 0 to 3, where transformers' own dictionaries have them.

    Raises:
        ModelError: lines overwrite them.
    """
    if (dictionary.bos, dictionary.pad, dictionary.eos, dictionary.unk) != (0, 1, 2, 3):
        raise ModelError(
            "the dictionary overwrites <s> or </s>, and lacks pieces of the tokenizer",
            where=str(file),
            expected="a dictionary with one of the two",
            fix="use the dict.txt and the tokenizer that were published together",
        )


def write_rows(dictionary: Dictionary, file: Path) -> None:
    """Write the rows behind the special ones as transformers' own dictionaries have them: `TOKEN COUNT`."""
    rows = name_rows(dictionary)[len(SPECIALS) :]
    file.write_text("".join(f"{row} 1\n" for row in rows), encoding="utf-8")
