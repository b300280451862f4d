"""Writes the dictionaries of a model that goes to fairseq, of its tokens and of its labels."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from headstart.data.fairseq.dictionary import (
    SPECIALS,
    make_dictionary,
    make_label_dictionary,
    make_padding,
    read_dictionary,
    write_dictionary,
)
from headstart.errors import ModelError

LABEL_FILE: Final = "label_dict.txt"
#: A tokenizer's files that fairseq reads too.
_TOKENIZER_FILES: Final = (
    *("sentencepiece.bpe.model", "encoder.json", "vocab.bpe", "vocab.json", "merges.txt", "bpe.codes"),
)


def write_words(tokenizer: Any, rows: int, folder: Path, where: str) -> None:
    """Write `dict.txt`, a line for each row of the embedding.

    Raises:
        ModelError: fairseq's special tokens are not the first four, or a token cannot stand in a dictionary.
    """
    symbols = [_name_row(tokenizer, i) for i in range(rows)]
    for i, special in enumerate(SPECIALS):
        if symbols[i] not in (special, f"<unused{i}>"):
            raise ModelError(
                f"its token {i} is {ascii(symbols[i])[:40]}",
                where=where,
                expected=f"{', '.join(SPECIALS)} first, as in every dictionary of fairseq",
            )
        symbols[i] = special
    file = folder / "dict.txt"
    write_dictionary(make_dictionary(symbols), file)
    _check_again(file, symbols, where)


def _name_row(tokenizer: Any, row: int) -> str:
    token = tokenizer.convert_ids_to_tokens(row) if row < len(tokenizer) else None
    return make_padding(row) if token is None else str(token)


def _check_again(file: Path, symbols: Sequence[str], where: str) -> None:
    with_mask = symbols[-1] == "<mask>"
    read = read_dictionary(file, with_mask=with_mask).symbols
    if read != tuple(symbols):
        wrong = next((a for a, b in zip(symbols, read, strict=False) if a != b), "")
        raise ModelError(f"the token {ascii(wrong)[:60]} cannot stand in a dict.txt of fairseq", where=where)


def write_label_words(names: Sequence[str], folder: Path, where: str) -> None:
    """Write the label dictionary: class k in line k, padded as fairseq pads it.

    Raises:
        ModelError: a label cannot stand in it.
    """
    dictionary = make_label_dictionary(names)
    if len(dictionary.indices) != len(dictionary) or any(not name.strip() for name in names):
        raise ModelError("its labels are not one name each", where=where)
    file = folder / LABEL_FILE
    write_dictionary(dictionary, file)
    if read_dictionary(file, with_mask=False).words != tuple(names):
        raise ModelError("its labels cannot stand in a dictionary of fairseq", where=where)


def copy_tokenizer_files(source: Path, folder: Path) -> list[str]:
    """Copy the files that fairseq encodes texts with, where the model has them; gives their names."""
    found = [name for name in _TOKENIZER_FILES if (source / name).is_file()]
    for name in found:
        shutil.copyfile(source / name, folder / name)
    return found
