"""The files of a lease: one for each holder it has had, numbered; made whole and exclusively, and listed."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from headstart.files import FILE_MODE
from headstart.store.holders import Holder

#: How the names of files of leases end that are in force, and that were given back.
HELD: Final = "held"
FREE: Final = "free"
#: Digits of the count of renewals, which is overwritten in place.
COUNT_DIGITS: Final = 20
#: More than any of them has.
_MOST_BYTES: Final = 2**16
_AS_IT_IS: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
#: What the system says of a link, a folder and a socket that is to be opened as a file.
_NO_FILE: Final = frozenset({errno.ELOOP, errno.EISDIR, errno.ENXIO})


@dataclass(frozen=True, order=True)
class LeaseFile:
    """One file of a lease; of equal numbers a free one is later."""

    number: int
    is_free: bool
    file: Path

    def read(self) -> tuple[Holder | None, bytes | None]:
        """Who made it, and all that stands in it; None is what is not there, or makes no sense.

        In what is no file stands nothing, and will not: who watches it sees that nobody renews it.

        Raises:
            OSError: the system cannot tell.
        """
        try:
            content = read_as_it_is(self.file, _MOST_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None, None
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
            content = b""
        try:
            return Holder.model_validate_json(content.partition(b"\n")[0]), content
        except ValidationError:
            return None, content


def read_as_it_is(file: Path, most: int, start: int = 0) -> bytes:
    """At most so many bytes of the file; what lies in its place is neither waited for nor followed: a pipe, a
    link.

    Raises:
        OSError: it cannot be read.
    """
    with open(file, "rb", opener=_open_as_it_is) as stream:
        if start:
            stream.seek(start)
        return stream.read(most) or b""


def append_as_it_is(file: Path, text: str) -> None:
    """Write the text at the end of the file; what lies in its place is neither waited for nor followed.

    Raises:
        OSError: it cannot be written.
    """
    with open(file, "a", encoding="utf-8", opener=_open_as_it_is) as stream:
        stream.write(text)


def _open_as_it_is(file: str, flags: int) -> int:
    return os.open(file, flags | _AS_IT_IS, FILE_MODE)


def list_lease_files(folder: Path, name: str) -> list[LeaseFile]:
    """The files of a lease, the one in force last."""
    pattern = re.compile(rf"{re.escape(name)}\.(\d+)\.({HELD}|{FREE})")
    with suppress(FileNotFoundError, NotADirectoryError):
        found = [(pattern.fullmatch(entry.name), entry) for entry in folder.iterdir()]
        return sorted(LeaseFile(int(match[1]), match[2] == FREE, entry) for match, entry in found if match)
    return []


def make_lease_file(file: Path, holder: Holder) -> bool:
    """Make the lease's file, with all that stands in it; says whether nobody had made it before."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(format_holder(holder))
        temporary.chmod(0o644)
        try:
            os.link(temporary, file)
        except FileExistsError:
            return False
        except OSError:  # a file system without links: then for a moment the file is there without its words
            return _create(file, holder)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _create(file: Path, holder: Holder) -> bool:
    try:
        stream = file.open("xb")
    except FileExistsError:
        return False
    try:
        with stream:
            stream.write(format_holder(holder))
    except OSError:  # a full disk: nobody holds what cannot say who does
        file.unlink(missing_ok=True)
        raise
    return True


def format_holder(holder: Holder) -> bytes:
    """What stands in a lease's file when it is made: who holds it, and no renewals."""
    return f"{holder.model_dump_json()}\n{0:0{COUNT_DIGITS}d}\n".encode()
