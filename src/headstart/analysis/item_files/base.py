"""What a reader of items is, and what it gives: for each item and seed, values by metric."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from headstart.analysis.item_files.item_table import ItemTable
from headstart.config.metrics import MetricInfo


@dataclass(frozen=True)
class ItemFile:
    """The rows of a file; `known` are metrics of which the file itself tells which way is better.

    `arm` and `task` are what the file, or the folder that it stands in, is called by its library; `has_seeds`
    is whether the rows say of which seed, or epoch, they are.
    """

    file: Path
    rows: ItemTable
    arm: str | None = None
    task: str | None = None
    known: Mapping[str, MetricInfo] = field(default_factory=dict)
    has_seeds: bool = False


class ItemReader(Protocol):
    """One format."""

    @property
    def description(self) -> str:
        """What it reads, in words."""

    def recognises(self, file: Path) -> bool:
        """Whether a file is of this format, by its content; a file that cannot be read is of none."""

    def read(self, file: Path) -> ItemFile:
        """The file's items.

        Raises:
            DataError: it is of this format, and cannot be used.
        """


def hash_text(*texts: object) -> str:
    """A short digest of what an item asks, where a format gives items no identity of their own."""
    return hashlib.sha256("\0".join(map(str, texts)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
