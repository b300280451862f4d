"""Takes leases: files that say which process has a thing to itself, such as a study's folder.

The lease `name` is the file `<name>.<number>.held` with the highest number; it ends as
`<name>.<number>.free`, or with its process. Who finds it ended makes the file of the next number, which only
one can: files are made exclusively and whole. The holder renews a count in its file, so that a process on
another machine sees whether it lives: what counts is that the file changes, never a clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from headstart.environment import read_seconds
from headstart.errors import OutputError
from headstart.events import Log, ignore_log
from headstart.os_faults import beginning, writing
from headstart.store.fences import Fence
from headstart.store.holders import Holder, describe_this_process
from headstart.store.lease_files import FREE, HELD, LeaseFile, list_lease_files, make_lease_file
from headstart.store.lease_heart import Heart, Pulse

#: Seconds between two renewals, and those without one after which a holder elsewhere counts as ended.
BEAT_SECONDS: Final = 5.0
STALE_SECONDS: Final = 60.0
#: The environment's word for the latter, for slow file systems: the same on all machines.
STALE_VARIABLE: Final = "HEADSTART_STALE_SECONDS"
#: Renewals that fall due meanwhile, at least.
_BEATS: Final = 12
#: Seconds between two looks at a lease that somebody else holds.
POLL_SECONDS: Final = 0.5
#: What to do where this very process has it: in a thread, or further up the same calls.
_OWN_FIX: Final = "let that call end first, or name another folder: out=FOLDER"
#: Tokens of the leases that this process holds: one that it could not give back is nobody's.
_LIVING: Final = set[str]()


def read_stale_seconds() -> float:
    """Seconds without a renewal after which a holder has ended, as the environment or the default has it.

    Raises:
        HeadstartError: the environment names no number above zero.
    """
    return read_seconds(STALE_VARIABLE, STALE_SECONDS)


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
    stale = read_stale_seconds()
    patience = _Patience(thing, fix, wait, log, stale)
    with _offering(folder, name, describe_this_process()) as holder:
        with writing(thing):
            fence = _take(folder, name, holder, patience)
        with _beating(fence, stale, Pulse()):
            yield fence


@contextmanager
def take_lease(
    folder: Path,
    name: str,
    judged: list[LeaseFile],
    *,
    stale: float,
    lost: int = 0,
    pulse: Pulse | None = None,
) -> Iterator[Fence | None]:
    """Hold the lease while the block runs, if nobody is faster; None where somebody is. Nobody waits.

    Args:
        judged: all its files, which are over.
        stale: seconds without a renewal after which others take it for ended.
        lost: how many of its holders ended without giving it back.
        pulse: asked before each renewal.

    Raises:
        MachineError: its file cannot be written.
    """
    with _offering(folder, name, describe_this_process().model_copy(update={"lost": lost})) as holder:
        with writing(folder):
            fence = _take_next(folder, name, holder, judged)
        if fence is None:
            yield None
            return
        with _beating(fence, stale, pulse or Pulse()):
            yield fence


@contextmanager
def _offering(folder: Path, name: str, holder: Holder) -> Iterator[Holder]:
    """A block in which the holder may have the lease; what it has is given back however that ends."""
    _LIVING.add(holder.token)
    try:
        yield holder
    finally:  # wherever an interrupt came, as in taking it
        _LIVING.discard(holder.token)
        _release(folder, name, holder)


@contextmanager
def _beating(fence: Fence, stale: float, pulse: Pulse) -> Iterator[None]:
    heart = Heart(fence, min(BEAT_SECONDS, stale / _BEATS), pulse)
    with beginning("the thread that renews the lock"):
        heart.start()
    try:
        yield
    finally:
        heart.stop()


@contextmanager
def clearing_traces(folder: Path, name: str, is_begun: Callable[[], bool]) -> Iterator[None]:
    """A block that may make `folder` and those around it, for a lease. Where nothing was begun in the end,
    they are removed as far as they are empty: one that another process uses is not."""
    made = [each for each in folder.parents if not each.exists()]
    try:
        yield
    finally:
        if not is_begun():
            _remove_traces(folder, name, made)


def _remove_traces(folder: Path, name: str, made: Sequence[Path]) -> None:
    with suppress(OSError):
        for file in folder.glob(f"{name}.*.{FREE}"):
            file.unlink()
        folder.rmdir()
        for each in made:
            each.rmdir()


class _Patience:
    """What one who wants a lease has seen of its present holder, and says of it."""

    def __init__(self, thing: Path, fix: str, wait: bool, log: Log, stale: float) -> None:
        self._thing, self._fix, self._wait, self._log = thing, fix, wait, log
        self._stale = stale
        self._seen: bytes | None = None
        self._changed, self._told = 0.0, ""

    def is_over(self, entry: LeaseFile) -> bool:
        """Whether the lease can be taken now; of one that is held elsewhere it may take looks to know.

        Raises:
            OutputError: it cannot, and nobody waits.
        """
        holder, content = entry.read()
        if entry.is_free or (holder is not None and has_ended(holder)):
            return True
        if content is None:  # it ended as it was read
            return False
        if holder is not None and holder.is_here and not holder.is_hidden:
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
                self._tell(
                    f"{self._thing} is locked by {_name(holder)}: checking whether that is still running"
                )
        return time.monotonic() - self._changed > self._stale

    def _refuse(self, holder: Holder | None) -> None:
        is_own = holder is not None and holder.is_this_process
        if self._wait:
            user = "another call in this process" if is_own else _name(holder)
            self._tell(f"waiting for {user}, which uses {self._thing}")
        elif is_own:
            what = f"in use by this process ({_name(holder)}): another call has not ended"
            raise OutputError(what, where=str(self._thing), fix=_OWN_FIX)
        else:
            what = f"in use by another headstart: {_name(holder)}"
            raise OutputError(what, where=str(self._thing), fix=self._fix)

    def _tell(self, sentence: str) -> None:
        if sentence != self._told:
            self._log(sentence)
            self._told = sentence


def has_ended(holder: Holder) -> bool:
    """Whether nobody has the lease: the process is gone, or is this one, and has left the block."""
    return holder.is_gone or (holder.is_this_process and holder.token not in _LIVING)


def _name(holder: Holder | None) -> str:
    return "an unknown process" if holder is None else str(holder)


def _take(folder: Path, name: str, holder: Holder, patience: _Patience) -> Fence:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        entries = list_lease_files(folder, name)
        if entries and not patience.is_over(entries[-1]):
            time.sleep(POLL_SECONDS)
            continue
        if fence := _take_next(folder, name, holder, entries):
            return fence


def _take_next(folder: Path, name: str, holder: Holder, judged: list[LeaseFile]) -> Fence | None:
    """The lease behind those `judged`, which are over; None where another was faster."""
    number = judged[-1].number + 1 if judged else 1
    fence = Fence(folder / f"{name}.{number}.{HELD}", holder)
    with suppress(FileNotFoundError):  # the folder was removed meanwhile by one who had made it
        if make_lease_file(fence.file, holder) and _is_alone(fence, judged):
            return fence
    return None


def _is_alone(fence: Fence, judged: list[LeaseFile]) -> bool:
    """Whether no other file of the lease is there but those `judged`, which are over: these are removed.

    Another may have taken the lease, and even given it back, since those were read.
    """
    known = {entry.file for entry in judged}
    others = {entry.file for entry in list_lease_files(fence.file.parent, fence.name)} - {fence.file}
    if not others <= known:
        fence.file.unlink(missing_ok=True)
        return False
    # What a killed one left as it made its file, too; one who is making his tries again.
    for file in (*others, *fence.file.parent.glob(f".{fence.name}.*.{HELD}-*")):
        file.unlink(missing_ok=True)
    return True


def _release(folder: Path, name: str, holder: Holder) -> None:
    """End the lease, if it is still in force; where its file is gone there is nothing to end.

    A fork of the process that holds it, which leaves the same block, ends nothing.
    """
    with suppress(OSError):
        entries = list_lease_files(folder, name)
        if holder.process == os.getpid() and entries and entries[-1].read()[0] == holder:
            entries[-1].file.rename(entries[-1].file.with_suffix(f".{FREE}"))
