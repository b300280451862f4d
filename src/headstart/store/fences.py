"""Says whether a lease is still in force, in the process that holds it or in another that it was sent to."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headstart.errors import OutputError
from headstart.os_faults import writing
from headstart.store.holders import Holder
from headstart.store.lease_files import HELD, list_lease_files, make_lease_file

#: What is said where a lease is no longer in force, and what to do.
_TAKEN: Final = (
    "this process has lost its lock; nothing more is written",
    "run again when the process that took it over has ended",
)
_GONE: Final = (
    "was moved or removed while it was in use; nothing more is written",
    "run again, with the folder where it was, or with out= naming where it is now",
)


class LeaseLostError(OutputError):
    """The lease has ended, or another process has taken it: nothing may be written under it."""


@dataclass(frozen=True)
class Fence:
    """A lease that this process, or the one that it works for, holds; can be sent to another process."""

    file: Path
    holder: Holder

    @property
    def name(self) -> str:
        """The lease's name."""
        return self.file.name.split(".")[0]

    @property
    def number(self) -> int:
        """Counts its holders."""
        return int(self.file.name.split(".")[1])

    @property
    def is_held(self) -> bool:
        """Whether the lease is still in force."""
        entries = list_lease_files(self.file.parent, self.name)
        return bool(entries) and entries[-1].file == self.file and entries[-1].read()[0] == self.holder

    def check(self) -> None:
        """See that the lease is still in force.

        Raises:
            LeaseLostError: it is not.
            MachineError: that cannot be known.
        """
        with writing(self.file.parent):
            if self.is_held:
                return
        what, fix = _TAKEN if self.file.parent.is_dir() else _GONE
        raise LeaseLostError(what, where=str(self.file.parent.parent), fix=fix)


@dataclass(frozen=True)
class Fences:
    """Several leases, all of which must be in force."""

    parts: tuple[Fence, ...]

    @property
    def is_held(self) -> bool:
        """Whether each is."""
        return all(part.is_held for part in self.parts)

    def check(self) -> None:
        """As `Fence.check`, of each."""
        for part in self.parts:
            part.check()


def lend_lease(folder: Path, name: str, holder: Holder) -> Fence:
    """A lease for a process elsewhere that works for this one; it is in force until `withdraw` ends it.

    Nobody renews it: who lends it sees by other means whether the other lives.

    Raises:
        MachineError: its file cannot be written.
    """
    fence = Fence(folder / f"{name}.1.{HELD}", holder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        make_lease_file(fence.file, holder)
    return fence


def withdraw(fence: Fence) -> None:
    """End a lease that was lent: whoever has it writes no more."""
    with suppress(OSError):
        fence.file.unlink(missing_ok=True)
