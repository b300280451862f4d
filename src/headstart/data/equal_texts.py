"""Finds texts that stand more than once, within a part or in two, by digests of them; groups nothing.

Shapes: N rows of a part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from headstart.config.study import Data
from headstart.data.corpus import PARTS, Part
from headstart.data.labels.base import LabelType
from headstart.data.row_table import RowTable
from headstart.data.text_column import hash_texts
from headstart.data.texts import make_text_key
from headstart.records import StudyWarning
from headstart.wording import format_count

#: The kind of the warning of texts that leak, which comparisons show too.
LEAK: Final = "leak"


@dataclass(frozen=True)
class RowKeys:
    """Of N rows a digest of each text, whatever its spaces, and a hash of each label."""

    texts: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


def identify_rows(rows: RowTable, label_type: LabelType, data: Data) -> RowKeys:
    """The keys of rows, which take a few bytes each."""
    distinct, which = rows.find_distinct()
    labels = np.array([hash(label_type.make_key(row, data)) for row in distinct], np.int64)
    return RowKeys(hash_texts(map(make_text_key, rows.texts), len(rows)), labels[which])


def find_duplicates(keys: Mapping[Part, RowKeys], data: Data) -> Iterator[StudyWarning]:
    """Warns of texts that repeat an earlier one of the same part."""
    for part in PARTS:
        of_part = keys[part]
        texts, first, which = np.unique(of_part.texts, return_index=True, return_inverse=True)
        count = len(of_part) - len(texts)
        if count:
            other = int((of_part.labels != of_part.labels[first[which]]).sum())
            also = f", {other} of them with another label" if other else ""
            verb = "repeats" if count == 1 else "repeat"
            grouped = ": identical texts count as one group" if part == "test" and data.group else ""
            yield StudyWarning(
                kind="duplicates",
                message=f"{format_count(count, 'text')} of {part} ({_format_share(count, of_part)}) "
                f"{verb} an earlier one of the same part{also}{grouped}",
            )


def find_leaks(keys: Mapping[Part, RowKeys]) -> Iterator[StudyWarning]:
    """Warns of examples of valid or test that are in train too, with the same or with another label."""
    for part in ("valid", "test"):
        of_part = keys[part]
        leaked = np.flatnonzero(np.isin(of_part.texts, keys["train"].texts))
        if not len(leaked):
            continue
        relabelled = _count_relabelled(RowKeys(of_part.texts[leaked], of_part.labels[leaked]), keys["train"])
        also = f", {relabelled} of them with another label" if relabelled else ""
        share, verb = _format_share(len(leaked), of_part), "is" if len(leaked) == 1 else "are"
        yield StudyWarning(
            kind=LEAK,
            message=f"{format_count(len(leaked), 'text')} of {part} ({share}) {verb} also in "
            f"train{also}; remove them from {part} or from train: they inflate scores",
        )


def _count_relabelled(leaked: RowKeys, train: RowKeys) -> int:
    """How many of the leaked have no label that their text has in train."""
    held: dict[bytes, set[int]] = defaultdict(set)
    for i in np.flatnonzero(np.isin(train.texts, leaked.texts)):
        held[train.texts[i]].add(int(train.labels[i]))
    return sum(int(label) not in held[text] for text, label in zip(leaked.texts, leaked.labels, strict=True))


def _format_share(count: int, rows: RowKeys) -> str:
    return f"{100 * count / len(rows):.1f}%"
