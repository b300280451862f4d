"""Opens a file of `torch.save`, of today's kind or that of before torch 1.6; reads the tensors asked for."""

from __future__ import annotations

import errno
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final, Protocol

import torch

from headstart.errors import ModelError
from headstart.models.fairseq.pickle_limits import MOST_BYTES, ForbiddenNameError, PickleError
from headstart.models.fairseq.pickle_names import STORAGES
from headstart.models.fairseq.pickle_values import StorageRef, TensorRef
from headstart.models.fairseq.unpickle import read_pickle
from headstart.models.weight_files import check_weight_file
from headstart.os_faults import reading

#: With what files of before torch 1.6 begin (torch/serialization.py), and their only version.
_MAGIC: Final = 0x1950A86A20F9469CFC6C
_VERSION: Final = 1001
_COUNT_BYTES: Final = 8
_PICKLE: Final = "data.pkl"
_DAMAGE: Final = (ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError)
_NO_PLACE: Final = (None, errno.EINVAL, errno.EOVERFLOW)
_EXPECTED: Final = "a checkpoint as fairseq saves it, such as checkpoint_best.pt"


class _Storages(Protocol):
    """Where the numbers of a file lie."""

    def read(self, storage: StorageRef, start: int, count: int) -> bytearray:
        """So many bytes of a storage, from byte `start` on."""


@dataclass(frozen=True)
class CheckpointFile:
    """What a checkpoint holds, `content`, in which tensors are references until they are read."""

    path: Path
    content: Any
    _storages: _Storages

    def read_tensor(self, tensor: TensorRef) -> torch.Tensor:
        """The tensor, in memory of its own.

        Raises:
            ModelError: the file does not hold it whole.
        """
        kind = get_format(tensor.storage)
        if tensor.size == 0:
            return torch.empty(tensor.shape, dtype=kind)
        start, count = tensor.offset * kind.itemsize, tensor.span * kind.itemsize
        with _errors(self.path):
            content = self._storages.read(tensor.storage, start, count)
        numbers = torch.frombuffer(content, dtype=kind)
        return numbers.as_strided(tensor.shape, tensor.strides).contiguous()


def get_format(storage: StorageRef) -> torch.dtype:
    """The format of a storage's numbers."""
    kind: torch.dtype = getattr(torch, STORAGES[storage.kind])
    return kind


@contextmanager
def open_checkpoint_file(path: Path) -> Iterator[CheckpointFile]:
    """The checkpoint in a file; its settings are read, no tensor is, and nothing of it is run.

    Raises:
        ModelError: it is none, is damaged, or names code that no checkpoint needs.
    """
    check_weight_file(path)
    if zipfile.is_zipfile(path):
        with _errors(path):
            archive = zipfile.ZipFile(path)
        with archive:
            with _errors(path):
                storages = _ZipStorages(archive, path)
                content = read_pickle(BytesIO(storages.read_entry(_PICKLE, MOST_BYTES)))
            yield CheckpointFile(path, content, storages)
        return
    with reading(path), path.open("rb") as stream:
        with _errors(path):
            content, old = _read_old(stream, path)
        yield CheckpointFile(path, content, old)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn what is raised for a hostile or damaged file into one `ModelError`."""
    try:
        with reading(path):
            yield
    except ForbiddenNameError as error:
        raise ModelError(
            f"its pickle names {str(error)[:80]!r}, which no fairseq checkpoint needs; nothing of it was run",
            where=str(path),
            expected="tensors, and settings of argparse, OmegaConf or fairseq",
            fix="do not load this file with other programs either, unless you know who made it",
        ) from error
    except (*_DAMAGE, OSError) as error:
        # What the system says of a place that no file has; other faults are its own, and say nothing of it.
        if isinstance(error, OSError) and error.errno not in _NO_PLACE:
            raise
        raise ModelError(
            f"not a checkpoint that can be read: {ascii(str(error))[1:-1][:200]}",
            where=str(path),
            expected=_EXPECTED,
            fix="copy or download it again",
        ) from error


class _ZipStorages:
    """The entries of an archive, each a storage as it lies in memory."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive, self._most = archive, path.stat().st_size
        found = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith(f"/{_PICKLE}")]
        if len(found) != 1:
            raise PickleError("an archive without data.pkl, and so not of torch.save")
        self._folder = found[0].removesuffix(_PICKLE)
        order = f"{self._folder}byteorder"
        if order in archive.namelist() and self.read_entry("byteorder", 16) != sys.byteorder.encode():
            raise PickleError("numbers in the byte order of another kind of machine")

    def read_entry(self, name: str, most: int) -> bytes:
        """A small entry's content."""
        info = self._find(name)
        if info.file_size > most:
            raise PickleError(f"{name} has {info.file_size:,} bytes, more than {most:,}")
        return self._archive.read(info)

    def read(self, storage: StorageRef, start: int, count: int) -> bytearray:
        """So many bytes of a storage, from byte `start` on."""
        info = self._find(f"data/{storage.key}")
        if info.file_size != storage.count * get_format(storage).itemsize:
            raise PickleError(
                f"storage {storage.key} has {info.file_size:,} bytes, not its {storage.count:,} numbers"
            )
        with self._archive.open(info) as stream:
            stream.seek(start)
            return bytearray(stream.read(count))

    def _find(self, name: str) -> zipfile.ZipInfo:
        try:
            info = self._archive.getinfo(self._folder + name)
        except KeyError as error:
            raise PickleError(f"{name} is missing in the archive") from error
        # What an archive says of its sizes is not believed: no entry is larger than the whole.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > self._most:
            raise PickleError(f"{name} is compressed, or larger than the file")
        return info


def _read_old(stream: IO[bytes], path: Path) -> tuple[Any, _OldStorages]:
    """The fourth of a file's pickles, and the storages that begin behind the fifth, their list."""
    if not _begins_as_torch(stream):
        raise PickleError("not of torch.save, or of torch before version 0.1.10")
    system = read_pickle(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not (sys.byteorder == "little"):
        raise PickleError("numbers in the byte order of another kind of machine")
    known: dict[str, StorageRef] = {}
    content, keys = read_pickle(stream, known), read_pickle(stream)
    if not isinstance(keys, list) or not all(isinstance(key, str | int) for key in keys):
        raise PickleError("no list of its storages")
    storages = [known.get(str(key)[:80]) for key in keys]
    return content, _OldStorages(stream, [one for one in storages if one], path.stat().st_size)


def _begins_as_torch(stream: IO[bytes]) -> bool:
    """Whether the first two pickles are torch's magic number and version; a text has no pickle at all."""
    try:
        return bool(read_pickle(stream) == _MAGIC and read_pickle(stream) == _VERSION)
    except ForbiddenNameError:
        raise
    except PickleError:
        return False


class _OldStorages:
    """Storages one behind the other, each after the number of its entries."""

    def __init__(self, stream: IO[bytes], storages: list[StorageRef], end: int) -> None:
        self._stream, self._places = stream, dict[str, int]()
        place = stream.tell()
        for storage in storages:
            stream.seek(place)
            count = int.from_bytes(stream.read(_COUNT_BYTES), "little")
            self._places[storage.key] = place + _COUNT_BYTES
            place += _COUNT_BYTES + count * get_format(storage).itemsize
            if count != storage.count or place > end:
                raise PickleError(f"the file ends within storage {storage.key}, or it has another size")

    def read(self, storage: StorageRef, start: int, count: int) -> bytearray:
        """So many bytes of a storage, from byte `start` on."""
        if storage.key not in self._places:
            raise PickleError(f"storage {storage.key} is missing")
        self._stream.seek(self._places[storage.key] + start)
        return bytearray(self._stream.read(count))
