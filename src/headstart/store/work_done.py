"""What a worker did in a study's folder: what `headstart.work` gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from headstart.records import SCHEMA_VERSION
from headstart.shown import Shown

#: Why a worker ended: the coordinator closed the queue; all packs have ended and no coordinator is there; it
#: has taken as many as it was to; or the queue is gone.
Ending = Literal["closed", "nothing-left", "most-packs", "changed"]


@dataclass(frozen=True, repr=False)
class Work(Shown, view="headstart.report.views.work:WORK"):
    """Packs that were ended in a study's folder by one worker, the keys of their runs, and why it ended.

    `failed` are the runs that have failed, `done` the others.
    """

    folder: Path
    packs: int
    done: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: float
    ending: Ending

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "folder": str(self.folder),
            "packs": self.packs,
            "done": list(self.done),
            "failed": list(self.failed),
            "seconds": self.seconds,
            "ending": self.ending,
        }
