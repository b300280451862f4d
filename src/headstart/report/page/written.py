"""A report that was written: where its page is, how large, and which files lie beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.records import SCHEMA_VERSION
from headstart.shown import Shown


@dataclass(frozen=True, repr=False)
class WrittenReport(Shown, view="headstart.report.views.report:WRITTEN_REPORT"):
    """A report that was written: its `page` of so many bytes, and files of figures and tables beside it."""

    page: Path
    studies: tuple[str, ...]
    page_bytes: int
    figures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "page": str(self.page),
            "page_bytes": self.page_bytes,
            "studies": list(self.studies),
            "figures": list(self.figures),
            "tables": list(self.tables),
        }
