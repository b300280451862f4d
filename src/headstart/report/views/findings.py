"""View of findings by themselves: what `results.findings` shows is what its results do."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

from headstart.analysis.findings import Findings
from headstart.analysis.results import Results
from headstart.report.views.base import ReportView
from headstart.report.views.frames import Row
from headstart.report.views.study import RESULTS


def _wrap(findings: Findings) -> Results:
    return Results(findings, Path(findings.study.out))


def _list_rows(name: str, findings: Findings) -> Iterable[Row]:
    return RESULTS.tables[name](_wrap(findings))


FINDINGS: Final = ReportView(
    lambda findings: RESULTS.summarise(_wrap(findings)),
    lambda findings: RESULTS.render(_wrap(findings)),
    {name: partial(_list_rows, name) for name in RESULTS.tables},
    lambda findings: RESULTS.figures(_wrap(findings)),
)
