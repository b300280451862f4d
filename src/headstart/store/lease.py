"""Takes leases: files that say which process has a thing to itself, such as a study's folder.

The lease `name` is the file `<name>.<number>.held` with the highest number; it ends as
`<name>.<number>.free`, or with its process. Who finds it ended makes the file of the next number, which only
one can: files are made exclusively and whole. The holder renews a count in its file, so that a process on
another machine sees whether it lives: what counts is that the file changes, never a clock. `Fence` says
whether a lease is still in force, in this process or in another that it was sent to.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from headstart.errors import OutputError
from headstart.events import Log, ignore_log
from headstart.files import read_file
from headstart.os_faults import explain_system_error
from headstart.store.holders import Holder, describe_this_process

#: Seconds between two renewals, and those without one after which a holder elsewhere counts as ended.
BEAT_SECONDS: Final = 5.0
STALE_SECONDS: Final = 60.0
#: Seconds between two looks at a lease that somebody else holds.
POLL_SECONDS: Final = 0.5
_HELD, _FREE = "held", "free"
#: Digits of the count of renewals, which is overwritten in place.
_COUNT_DIGITS: Final = 20


class LeaseLostError(OutputError):
    """The lease has ended, or another process has taken it: nothing may be written under it."""


@dataclass(frozen=True, order=True)
class _Entry:
    """One file of a lease; of equal numbers a free one is later."""

    number: int
    is_free: bool
    file: Path

    def read(self) -> tuple[Holder | None, bytes | None]:
        """Who made it, and all that stands in it; None is what cannot be read."""
        try:
            content = read_file(self.file)
        except OSError:
            return None, None
        try:
            return Holder.model_validate_json(content.partition(b"\n")[0]), content
        except ValidationError:
            return None, content


@dataclass(frozen=True)
class Fence:
    """A lease that this process, or the one that it works for, holds; can be sent to another process."""

    file: Path
    holder: Holder

    @property
    def is_held(self) -> bool:
        """Whether the lease is still in force."""
        entries = _list_entries(self.file.parent, self.file.name.split(".")[0])
        return bool(entries) and entries[-1].file == self.file and entries[-1].read()[0] == self.holder

    def check(self) -> None:
        """See that the lease is still in force.

        Raises:
            LeaseLostError: it is not.
        """
        if not self.is_held:
            raise LeaseLostError(
                "this process no longer has it to itself; nothing more is written",
                where=str(self.file.parent.parent),
                fix="run again, when the process that has taken it over has ended",
            )


@contextmanager
def hold_lease(
    folder: Path, name: str, *, thing: Path, fix: str, wait: bool = False, log: Log = ignore_log
) -> Iterator[Fence]:
    """Hold the lease `name`, whose files lie in `folder`, while the block runs.

    Args:
        thing: what is held, for messages, and `fix` what to do where somebody else holds it.
        wait: for another holder to end; `log` is told.

    Raises:
        OutputError: another process holds it and `wait` is not set, or its file cannot be written.
    """
    try:
        fence = _take(folder, name, _Patience(thing, fix, wait, log))
    except OSError as error:
        raise explain_system_error(error, thing) from error
    heart = _Heart(fence)
    heart.start()
    try:
        yield fence
    finally:
        heart.stop()
        _release(fence)


class _Patience:
    """What one who wants a lease has seen of its present holder, and says of it."""

    def __init__(self, thing: Path, fix: str, wait: bool, log: Log) -> None:
        self._thing, self._fix, self._wait, self._log = thing, fix, wait, log
        self._seen: bytes | None = None
        self._changed, self._told = 0.0, ""

    def is_over(self, entry: _Entry) -> bool:
        """Whether the lease can be taken now; of one that is held elsewhere it may take looks to know.

        Raises:
            OutputError: it cannot, and nobody waits.
        """
        holder, content = entry.read()
        if entry.is_free or (holder is not None and holder.is_gone):
            return True
        if content is None:  # it ended as it was read
            return False
        if holder is not None and holder.is_here:
            self._refuse(holder)
            return False
        return self._is_still(holder, content)

    def _is_still(self, holder: Holder | None, content: bytes) -> bool:
        """Whether nothing has changed for so long in the file of a holder elsewhere that it has ended."""
        if content != self._seen:
            is_first, self._seen, self._changed = self._seen is None, content, time.monotonic()
            if not is_first:
                self._refuse(holder)
            else:
                self._tell(f"{self._thing} is held by {_name(holder)}: watching whether that is at work")
        return time.monotonic() - self._changed > STALE_SECONDS

    def _refuse(self, holder: Holder | None) -> None:
        if not self._wait:
            what = f"in use by another headstart: {_name(holder)}"
            raise OutputError(what, where=str(self._thing), fix=self._fix)
        self._tell(f"waiting for {_name(holder)}, which uses {self._thing}")

    def _tell(self, sentence: str) -> None:
        if sentence != self._told:
            self._log(sentence)
            self._told = sentence


def _name(holder: Holder | None) -> str:
    return "a process that cannot be told" if holder is None else str(holder)


def _take(folder: Path, name: str, patience: _Patience) -> Fence:
    holder = describe_this_process()
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        entries = _list_entries(folder, name)
        if entries and not patience.is_over(entries[-1]):
            time.sleep(POLL_SECONDS)
            continue
        number = entries[-1].number + 1 if entries else 1
        fence = Fence(folder / f"{name}.{number}.{_HELD}", holder)
        with suppress(FileNotFoundError):  # the folder was removed meanwhile by one who had made it
            if _make(fence) and _is_alone(fence, entries):
                return fence


def _list_entries(folder: Path, name: str) -> list[_Entry]:
    """The files of a lease, the one in force last."""
    pattern = re.compile(rf"{re.escape(name)}\.(\d+)\.({_HELD}|{_FREE})")
    with suppress(FileNotFoundError, NotADirectoryError):
        found = [(pattern.fullmatch(entry.name), entry) for entry in folder.iterdir()]
        return sorted(_Entry(int(match[1]), match[2] == _FREE, entry) for match, entry in found if match)
    return []


def _make(fence: Fence) -> bool:
    """Make the lease's file, with all that stands in it; says whether nobody had made it before."""
    descriptor, name = tempfile.mkstemp(dir=fence.file.parent, prefix=f".{fence.file.name}-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(_format(fence.holder))
        temporary.chmod(0o644)
        try:
            os.link(temporary, fence.file)
        except FileExistsError:
            return False
        except OSError:  # a file system without links: then for a moment the file is there without its words
            return _create(fence)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _create(fence: Fence) -> bool:
    try:
        with fence.file.open("xb") as stream:
            stream.write(_format(fence.holder))
    except FileExistsError:
        return False
    return True


def _format(holder: Holder) -> bytes:
    return f"{holder.model_dump_json()}\n{0:0{_COUNT_DIGITS}d}\n".encode()


def _is_alone(fence: Fence, judged: list[_Entry]) -> bool:
    """Whether no other file of the lease is there but those `judged`, which are over: these are removed.

    Another may have taken the lease, and even given it back, since those were read.
    """
    known = {entry.file for entry in judged}
    name = fence.file.name.split(".")[0]
    others = {entry.file for entry in _list_entries(fence.file.parent, name)} - {fence.file}
    if not others <= known:
        fence.file.unlink(missing_ok=True)
        return False
    # What a killed one left as it made its file, too; one who is making his tries again.
    for file in (*others, *fence.file.parent.glob(f".{name}.*.{_HELD}-*")):
        file.unlink(missing_ok=True)
    return True


def _release(fence: Fence) -> None:
    """End the lease, if it is still in force; where the file is gone there is nothing to end."""
    with suppress(OSError):
        if fence.is_held:
            fence.file.rename(fence.file.with_suffix(f".{_FREE}"))


class _Heart(threading.Thread):
    """Renews the count in a lease's file, while it is in force."""

    def __init__(self, fence: Fence) -> None:
        super().__init__(name="headstart-lease", daemon=True)
        self._fence, self._end = fence, threading.Event()

    def run(self) -> None:
        """Count, until it is stopped or another has the lease."""
        beats = 0
        while not self._end.wait(BEAT_SECONDS) and self._fence.is_held:
            beats += 1
            with suppress(OSError), self._fence.file.open("rb+") as stream:
                stream.seek(-_COUNT_DIGITS - 1, os.SEEK_END)
                stream.write(f"{beats:0{_COUNT_DIGITS}d}".encode())

    def stop(self) -> None:
        """Count no more."""
        self._end.set()
        self.join()
