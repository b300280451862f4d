"""The types that hold labelled examples; reads nothing and checks nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from headstart.config.traits import TaskName
from headstart.records import StudyWarning

#: A single text, the two texts of a pair, or a conversation: role, content, role, content, ...
Text = str | tuple[str, ...]
Part = Literal["train", "valid", "test"]
#: What names of labels were in the cells of the data.
CellType = Literal["text", "int", "float", "bool"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a source as read: `where` is `file:line` for messages, `id` its index in the source.

    A `group` stands in one part only; a `test_group` is what test examples have in common.
    """

    id: int
    where: str
    text: Text
    label: object
    group: str | None = None
    test_group: str | None = None


@dataclass(frozen=True)
class Examples:
    """N labelled texts of one part.

    `labels` has shape [N] and dtype int64 (class index) for classification, [N, C] and float32 (0 or 1)
    for multi-label, [N] and float32 for regression; for instruction it is [N] zeros, int64. `groups` [N] are
    equal where texts have something in common; None where each is by itself. Of the test they are what its
    examples share, of training examples what `data.split.group` keeps together.
    """

    texts: Sequence[Text]
    labels: np.ndarray
    ids: Sequence[int]
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, index: np.ndarray) -> Examples:
        """The examples at `index`, in that order."""
        texts = [self.texts[i] for i in index]
        groups = None if self.groups is None else self.groups[index]
        return Examples(texts, self.labels[index], [self.ids[i] for i in index], groups)


@dataclass(frozen=True)
class Corpus:
    """The three parts of a study's data, the names of its classes, and warnings.

    `label_names` is empty for regression; `label_cells` is what they were in the data. `group_source` says in
    words what groups of test examples have in common.
    """

    task: TaskName
    parts: dict[Part, Examples]
    label_names: tuple[str, ...]
    warnings: tuple[StudyWarning, ...] = ()
    group_source: str = ""
    label_cells: CellType = "text"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all texts and labels, part by part: the data's name in every record."""
        sha = hashlib.sha256("\x1f".join(self.label_names).encode())
        for part in PARTS:
            sha.update(part.encode())
            for text in self.parts[part].texts:
                sha.update(("\x1f".join(text) if isinstance(text, tuple) else text).encode() + b"\x1e")
            sha.update(np.ascontiguousarray(self.parts[part].labels).tobytes())
        return sha.hexdigest()

    @property
    def num_outputs(self) -> int:
        """How many numbers a model gives for one text: C classes, or 1 for regression."""
        return max(len(self.label_names), 1)
