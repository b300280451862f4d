"""Holds what a pickle of a checkpoint says, as data: names, objects whose class is not loaded, tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names; nothing is imported."""

    path: str


@dataclass(eq=False)
class Record:
    """An object of a class that is not loaded: the class's name, what it was made of, and its attributes."""

    kind: str
    arguments: tuple[Any, ...] = ()
    state: dict[Any, Any] = field(default_factory=dict)
    entries: list[Any] = field(default_factory=list)
    mapping: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StorageRef:
    """Numbers that lie in the file under `key`: `count` of them, of torch's class `kind`."""

    key: str
    kind: str
    count: int


@dataclass(frozen=True)
class TensorRef:
    """A tensor that was not read: where it lies in its storage, in numbers."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers it has."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def span(self) -> int:
        """How many numbers of the storage lie from its first to its last one, both included; of none 0."""
        last = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        return last + 1 if self.size else 0
