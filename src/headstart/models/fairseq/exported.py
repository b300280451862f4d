"""Holds what an export to fairseq wrote, and what fairseq will not find in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.records import SCHEMA_VERSION


@dataclass(frozen=True)
class ExportedCheckpoint:
    """A folder `path` with `model.pt` and dictionaries, made of the model `source`; `notes` are sentences."""

    path: Path
    source: Path
    family: str
    head: str | None
    parameters: int
    files: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        paths = {"path": str(self.path), "source": str(self.source)}
        values = {"family": self.family, "head": self.head, "parameters": self.parameters}
        told = {"files": list(self.files), "notes": list(self.notes)}
        return {"schema_version": SCHEMA_VERSION, **paths, **values, **told}
