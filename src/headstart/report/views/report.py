"""View of a report that was written: what the command prints."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from headstart.report.report import render_report
from headstart.report.views.base import ReportView

WRITTEN_REPORT: Final = ReportView(render_report, lambda written: Text(render_report(written)))
