"""Findings as a comparison: the tables of `headstart compare`, which reads everything itself."""

from __future__ import annotations

from pathlib import Path

import headstart
from headstart.analysis.findings_comparison import compare_findings
from headstart.report.comparison_tables import name_tables
from report_studies import write_report_study


def test_its_tables_are_those_of_compare(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, sizes=[20, 40], margin=1.0, metrics=("accuracy", "loss"))
    findings = headstart.load(out).findings
    for metric in ("accuracy", "loss"):
        expected = list(name_tables(headstart.compare(out, metric=metric)))
        found = {table.name: table for table in name_tables(compare_findings(findings, metric))}
        shown = [table for table in expected if metric == "accuracy" or table.name in ("arms", "contrasts")]
        assert [found[table.name].rows for table in shown] == [table.rows for table in shown]
