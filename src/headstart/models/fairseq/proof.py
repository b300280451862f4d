"""Holds a tokenizer against binarised data: whether it gives their texts the ids that fairseq gave them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from headstart.data.fairseq.binarised import add_suffix, read_binarised
from headstart.data.fairseq.decoding import choose_join, list_pieces
from headstart.data.fairseq.dictionary import Dictionary
from headstart.data.fairseq.folder import FIRST, list_parts
from headstart.data.special_tokens import encode_as_text

#: Rows that are looked at of each part: enough to meet rare pieces, and some seconds.
MOST_ROWS: Final = 2000


@dataclass(frozen=True)
class ProvenIds:
    """How many of `texts`, decoded and encoded, had `equal` ids, and where the `first` other one is."""

    texts: int
    equal: int
    first: str | None

    def __str__(self) -> str:
        """A sentence for a report."""
        if self.texts == self.equal:
            return f"all {self.texts:,} binarised texts get the ids that fairseq gave them"
        return (
            f"{self.equal:,} of {self.texts:,} binarised texts get the ids that fairseq gave them; the first "
            f"other: {self.first}"
        )


def prove_ids(tokenizer: Any, dictionary: Dictionary, folder: Path, files: Path) -> ProvenIds:
    """Decode the first texts of each part of `FOLDER/input0`, and see whether they get their ids again.

    A text with `<unk>` is passed over: what stood there cannot be told. `files` is the folder of the
    tokenizer's files.

    Raises:
        DataError: the binarised data are damaged, or GPT-2's without the file to decode them by.
    """
    texts, equal, first = 0, 0, None
    for where, text, ids in _iterate_rows(folder, dictionary, files):
        if dictionary.unk in ids:
            continue
        texts += 1
        if encode_as_text(tokenizer, text) == ids:
            equal += 1
        elif first is None:
            first = where
    return ProvenIds(texts, equal, first)


def _iterate_rows(folder: Path, dictionary: Dictionary, files: Path) -> Iterator[tuple[str, str, list[int]]]:
    """The place, the text and the ids, without start and end, of each row that is looked at."""
    join = choose_join(dictionary, (files, folder, folder / FIRST))
    for prefix in (folder / FIRST / part for part in list_parts(folder)):
        for i, row in enumerate(islice(read_binarised(prefix), MOST_ROWS), start=1):
            ids, where = row.tolist(), f"{add_suffix(prefix, '.idx')} row {i}"
            yield where, join(list_pieces(ids, dictionary, where)), _strip(ids, dictionary)


def _strip(ids: Sequence[int], dictionary: Dictionary) -> list[int]:
    start = 1 if ids and ids[0] in (0, dictionary.bos) else 0
    end = len(ids) - 1 if len(ids) > start and ids[-1] in (2, dictionary.eos) else len(ids)
    return list(ids[start:end])
