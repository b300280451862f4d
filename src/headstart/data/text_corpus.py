"""The types of text to pretrain on: documents of files or of a list, and a share held out by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, Protocol

from headstart.errors import DataError
from headstart.files import hash_file
from headstart.seeds import derive_seed
from headstart.stages import tell_stage

#: What a document of a text file is; in other formats it is a row.
DocumentUnit = Literal["line", "blank-line", "file"]


class Corpus(Protocol):
    """Documents in their order, which can be read again and again."""

    @property
    def digest(self) -> str:
        """SHA-256 of all that its documents depend on."""
        ...

    def iterate(self) -> Iterator[str]:
        """The documents, one after the other; not all of them are in memory at once."""
        ...

    def check_unchanged(self) -> None:
        """See that the documents are still those of the digest, as far as can be told without reading them.

        Raises:
            DataError: they are not.
        """
        ...


@dataclass(frozen=True)
class HeldOut:
    """Which side of a division a corpus is: `share` of all different documents are the `valid` side.

    A document's own hash and the seed decide, so that equal documents are on one side, and so is each
    document however the corpus grows.
    """

    share: float
    seed: int
    side: Literal["train", "valid"]

    def holds(self, document: str) -> bool:
        """Whether the document is on this side."""
        return self._is_valid(document) == (self.side == "valid")

    def _is_valid(self, document: str) -> bool:
        digest = hashlib.blake2b(document.encode(), digest_size=8, key=self._key).digest()
        return int.from_bytes(digest, "little") < self.share * 2.0**64

    @cached_property
    def _key(self) -> bytes:
        return derive_seed(self.seed, "corpus").to_bytes(16, "little")


@dataclass(frozen=True)
class TextCorpus:
    """Files of text, read a document at a time.

    Attributes:
        paths: files, folders of files, and patterns such as `books/*.txt`, in the order in which they are
            read; text, JSON Lines, Parquet, CSV and TSV, compressed too (.gz, .bz2, .xz, .zst).
        column: the column or key with the text, in formats that have such.
        document: what a document of a text file is.
        separator: between the cells of CSV.
        held_out: the side of a division; None for all documents.
    """

    paths: tuple[Path, ...]
    column: str = "text"
    document: DocumentUnit = "line"
    separator: str = ","
    held_out: HeldOut | None = None

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files of all paths.

        Raises:
            DataError: nothing is at a path, or nothing that can be read.
        """
        from headstart.data.documents import list_corpus_files

        return tuple(file for path in self.paths for file in list_corpus_files(path))

    @cached_property
    def _states(self) -> tuple[tuple[int, int, int], ...]:
        """What tells each file from a changed one, when it was asked first."""
        return _read_states(self.files)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the files' bytes and of how they are read; it reads them all.

        Raises:
            DataError: a file is absent.
        """
        from headstart.data.documents import name_reading

        tell_stage(f"hashing {_name_files(self.files)}")
        sha = hashlib.sha256()
        # The states are asked before the first byte is read: what changes from here on is seen.
        for file, state in zip(self.files, self._states, strict=True):
            sha.update(f"{name_reading(file, self)} {_hash_once(file.absolute(), state)}\n".encode())
        sha.update(f"{self.held_out}".encode())
        return sha.hexdigest()

    def iterate(self) -> Iterator[str]:
        """The documents; empty ones are passed over.

        Raises:
            DataError: a file cannot be read, or holds something else than text.
        """
        from headstart.data.documents import iterate_documents

        return iterate_documents(self)

    def check_unchanged(self) -> None:
        """See that no file has changed since the digest was taken.

        Raises:
            DataError: one has.
        """
        for file, before, now in zip(self.files, self._states, _read_states(self.files), strict=True):
            if before != now:
                raise DataError(
                    "changed while it was read",
                    where=str(file),
                    expected="the same text from beginning to end",
                    fix="wait until whoever writes it is done, or copy it, then run again",
                )


@dataclass(frozen=True)
class TextList:
    """Documents in memory, such as a study's training texts."""

    documents: Sequence[str]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the documents."""
        sha = hashlib.sha256()
        for document in self.documents:
            sha.update(document.encode() + b"\x1e")
        return sha.hexdigest()

    def iterate(self) -> Iterator[str]:
        """The documents that are not empty."""
        return (document for document in self.documents if document.strip())

    def check_unchanged(self) -> None:
        """Nothing in memory changes."""


def divide_corpus(corpus: TextCorpus, share: float, seed: int) -> tuple[TextCorpus, TextCorpus]:
    """What is trained on, and a share of the documents that is not; equal documents are on one side."""
    return (
        replace(corpus, held_out=HeldOut(share, seed, "train")),
        replace(corpus, held_out=HeldOut(share, seed, "valid")),
    )


def _read_states(files: Sequence[Path]) -> tuple[tuple[int, int, int], ...]:
    """Inode, size in bytes and time of the last change, in nanoseconds, of each file."""
    return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in (file.stat() for file in files))


@lru_cache(maxsize=4096)
def _hash_once(file: Path, state: tuple[int, int, int]) -> str:
    """SHA-256 of a file in this state, read once in each process: both sides of a division have it."""
    return hash_file(file)


def _name_files(files: Sequence[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{len(files):,} files"
