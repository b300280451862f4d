"""The files of a queue in a study's folder: its manifest, its lists of packs, and marks of packs.

    .headstart/queue/queue.json              the manifest: what workers check, and whether more is to come
    .headstart/queue/packs-1.json            packs, the longest first; one list for each publication
    .headstart/queue/leases/<pack>/          who has the pack: `pack.<number>.held`, and what that one tells
    .headstart/queue/free/<pack>             the pack was given back before it had ended
    .headstart/queue/ended/<pack>            the pack has ended: its runs' records are in their folders

Marks are empty files, so that one listing tells of all packs. Nothing here is waited for to be on the disk:
after a power cut the coordinator writes it anew.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from headstart.errors import DamagedFileError
from headstart.files import FILE_MODE, remove_folder, write_text
from headstart.json_text import join_pairs, parse_json, refuse_constant
from headstart.os_faults import reading, writing
from headstart.records import Record
from headstart.records.queue import PackList, QueueManifest
from headstart.store.json_files import make_damage, validate
from headstart.store.layout import StudyLayout
from headstart.store.lease_files import LeaseFile, list_lease_files, read_as_it_is
from headstart.store.schema import check_version

#: The name of the lease in each pack's own folder.
PACK_LEASE: Final = "pack"
#: No manifest and no list is larger: who finds more there does not read it.
_MOST_MANIFEST: Final = 2**20
_MOST_LIST: Final = 2**27
_PACK: Final = re.compile(r"[0-9a-f]{16}")
_R = TypeVar("_R", bound=Record)
Mark = Literal["ended", "free"]


@dataclass(frozen=True)
class QueueFiles:
    """The files of the queue of one study's folder."""

    layout: StudyLayout

    @property
    def folder(self) -> Path:
        """What holds all of it."""
        return self.layout.queue_folder

    @property
    def manifest_file(self) -> Path:
        """What workers read first, and again."""
        return self.folder / "queue.json"

    def list_file(self, number: int) -> Path:
        """The packs of one publication, from 1."""
        return self.folder / f"packs-{number}.json"

    def lease_folder(self, pack: str) -> Path:
        """What holds the leases of one pack."""
        return self.folder / "leases" / pack

    def told_file(self, pack: str, number: int) -> Path:
        """What the holder of the lease of that number tells."""
        return self.lease_folder(pack) / f"told.{number}.jsonl"

    def read_manifest(self) -> QueueManifest | None:
        """The manifest; None where there is none.

        Raises:
            DamagedFileError: it is not as it was written.
            OutputError: it is of another version.
        """
        if not self.manifest_file.exists():
            return None
        return self._read(QueueManifest, self.manifest_file, _MOST_MANIFEST)

    def write_manifest(self, manifest: QueueManifest) -> None:
        """Let workers see it, whole."""
        self._write(self.manifest_file, manifest)

    def read_list(self, number: int) -> PackList:
        """The packs of one publication.

        Raises:
            DamagedFileError: it is not as it was written.
        """
        return self._read(PackList, self.list_file(number), _MOST_LIST)

    def write_list(self, number: int, packs: PackList) -> None:
        """Write it, before a manifest that counts it."""
        self._write(self.list_file(number), packs)

    def list_marked(self, mark: Mark) -> set[str]:
        """The packs that are marked so."""
        return _list_packs(self.folder / mark)

    def list_taken(self) -> set[str]:
        """The packs that somebody has had."""
        return _list_packs(self.folder / "leases")

    def list_leases(self, pack: str) -> list[LeaseFile]:
        """The files of the pack's lease, the one in force last.

        Raises:
            DamagedFileError: a link lies in the place of their folder.
            MachineError: they cannot be listed.
        """
        folder = self.lease_folder(pack)
        _refuse_link(folder)
        with writing(folder):
            return list_lease_files(folder, PACK_LEASE)

    def is_marked(self, pack: str, mark: Mark) -> bool:
        """Whether the pack is marked so."""
        return os.path.lexists(self.folder / mark / pack)

    def set_mark(self, pack: str, mark: Mark) -> None:
        """Mark the pack; not where the queue was removed."""
        file = self.folder / mark / pack
        _refuse_link(file.parent)
        with writing(file), suppress(FileNotFoundError):
            if self.folder.is_dir():
                file.parent.mkdir(exist_ok=True)
                _make_mark(file)

    def remove_mark(self, pack: str, mark: Mark) -> None:
        """Take the mark away, if it is there."""
        file = self.folder / mark / pack
        _refuse_link(file.parent)
        with writing(file):
            file.unlink(missing_ok=True)

    def remove_leases(self, pack: str) -> None:
        """Take the pack from whoever has it: its fence tells."""
        _remove(self.lease_folder(pack))

    def remove_packs(self, lists: int) -> None:
        """Remove so many lists with all leases and marks: what is left is the manifest."""
        for name in ("leases", "free", "ended"):
            _remove(self.folder / name)
        for number in range(1, lists + 1):
            file = self.list_file(number)
            with writing(file):
                file.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the queue: whoever has a pack of it has lost it."""
        _remove(self.folder)

    def _read(self, kind: type[_R], file: Path, most: int) -> _R:
        with reading(file):
            content = _read_whole(file, most)
        try:
            values = parse_json(content, join_pairs, constant=refuse_constant)
        except ValueError as error:
            raise make_damage(f"is not complete JSON: {error}", file) from error
        if not isinstance(values, dict):
            raise make_damage("is not a JSON object", file)
        check_version(values, file, self.layout.out)
        return validate(kind, values, file)

    def _write(self, file: Path, record: Record) -> None:
        write_text(file, record.model_dump_json() + "\n", synced=False)


def _read_whole(file: Path, most: int) -> bytes:
    try:
        content = read_as_it_is(file, most + 1)
    except OSError as error:
        raise make_damage(f"cannot be read: {error.strerror}", file) from error
    if len(content) > most:
        raise DamagedFileError(
            f"is larger than {most // 2**20} MiB", where=str(file), expected="the file as Headstart wrote it"
        )
    return content


def _remove(folder: Path) -> None:
    """Remove the folder, if it is there."""
    with writing(folder), suppress(FileNotFoundError):
        remove_folder(folder)


def _make_mark(file: Path) -> None:
    """Make the file; whatever is there is the mark: a link is not followed."""
    with suppress(FileExistsError):
        file.touch(FILE_MODE, exist_ok=False)


def _list_packs(folder: Path) -> set[str]:
    """The entries that have the name of a pack."""
    _refuse_link(folder)
    with writing(folder), suppress(FileNotFoundError, NotADirectoryError):
        return {entry.name for entry in folder.iterdir() if _PACK.fullmatch(entry.name)}
    return set()


def _refuse_link(folder: Path) -> None:
    """See that a folder of the queue is no link: files would be made and removed where it leads."""
    if folder.is_symlink():
        raise make_damage("is a link", folder)
