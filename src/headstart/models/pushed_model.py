"""What a push to the hub sent, or would send: the model's files, the repository, and what others may miss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.records import SCHEMA_VERSION
from headstart.shown import Shown


@dataclass(frozen=True)
class ModelFile:
    """A file that goes out: `changed` where it is not as it lies there, a path of this machine taken out."""

    path: str
    size: int
    sha256: str
    source: Path | bytes
    changed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {"path": self.path, "size": self.size, "sha256": self.sha256, "changed": self.changed}


@dataclass(frozen=True, repr=False)
class PushedModel(Shown, view="headstart.report.views.push:PUSHED"):
    """What was pushed, or with `dry_run` would be.

    Attributes:
        url: of the repository, at the branch.
        commit: its id; None of a dry run.
        created: whether the repository was made; None of a dry run, which asks nobody.
        unchanged: all of it was there already, so that there is no new commit.
        left_out: names in the folder that do not go out.
        removed: files of an earlier push that this model has not.
        notes: sentences on what others may miss.
        card: the text of the model card.
    """

    model: Path
    repo: str
    url: str
    revision: str
    message: str
    private: bool
    dry_run: bool
    files: tuple[ModelFile, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    card: str
    commit: str | None = None
    created: bool | None = None
    unchanged: bool = False
    removed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        names = ("repo", "url", "revision", "message", "private", "dry_run", "commit", "created", "unchanged")
        return {
            "schema_version": SCHEMA_VERSION,
            "model": str(self.model),
            **{name: getattr(self, name) for name in names},
            "files": [file.to_dict() for file in self.files],
            "left_out": list(self.left_out),
            "removed": list(self.removed),
            "notes": list(self.notes),
            "card": self.card,
        }
