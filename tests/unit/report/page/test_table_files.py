"""Tables of the page as files: read back, and nothing in them is a formula or a command of LaTeX."""

from __future__ import annotations

import csv
from pathlib import Path

from headstart.report.page.blocks import PageTable
from headstart.report.page.table_files import write_tables

ROWS = [["arm", "difference"], ["=cmd|' /C calc'!A0", "+8.3"], ["\x1b[31m & \\input{x}", "-"]]


def test_each_table_is_three_files(tmp_path: Path) -> None:
    names = write_tables([PageTable("arms", "Arms & all.", ROWS)], tmp_path / "tables", "study-1-")
    assert names == [f"study-1-arms{end}" for end in (".csv", ".md", ".tex")]
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == names
    with (tmp_path / "tables" / names[0]).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [ROWS[0], ["'=cmd|' /C calc'!A0", "+8.3"], ["\\x1b[31m & \\input{x}", "-"]]
    assert "| +8.3 |" in (tmp_path / "tables" / names[1]).read_text()
    latex = (tmp_path / "tables" / names[2]).read_text()
    assert r"\textbackslash{}x1b[31m \& \textbackslash{}input\{x\}" in latex
    assert r"\label{tab:study-1-arms}" in latex
