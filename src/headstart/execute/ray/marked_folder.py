"""Marks a study's folder while a cluster trains it, and says in each process whether that one sees it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from headstart.execute.ray.probe import holds_word
from headstart.files import write_text
from headstart.store.runs import RunStore


@dataclass(frozen=True)
class Token:
    """A file in the study's folder that tells which nodes see it, and what stands in it."""

    file: Path
    word: str

    @property
    def is_seen(self) -> bool:
        """Whether this process sees the study's folder."""
        return holds_word(str(self.file), self.word)


@contextmanager
def mark_folder(store: RunStore) -> Iterator[Token]:
    """The folder's mark while the block runs; what an earlier call left there is removed."""
    store.check_held()
    folder = store.ray_folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    token = Token(folder / "token", uuid.uuid4().hex)
    write_text(token.file, token.word)
    try:
        yield token
    finally:
        shutil.rmtree(folder, ignore_errors=True)
