"""View of a checkpoint that was imported from fairseq: its parameters by part are the table."""

from __future__ import annotations

from typing import Any, Final

from headstart.models.fairseq.imported import ImportedModel
from headstart.report.imported import render_import
from headstart.report.views.base import ReportView


def _summarise(imported: ImportedModel) -> str:
    return f"{imported.source} to {imported.path}"


def _list_parameters(imported: ImportedModel) -> list[dict[str, Any]]:
    return [{"part": part, "parameters": count} for part, count in imported.parameters.items()]


IMPORTED: Final = ReportView(_summarise, render_import, {"parameters": _list_parameters})
