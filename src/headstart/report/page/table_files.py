"""Writes the tables of a page as files for a spreadsheet, a README and a paper: CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from headstart.data.controls import escape_hidden
from headstart.report.page.blocks import PageTable, find_number
from headstart.report.table_formats import Rows, render_latex_table, render_markdown_table

#: First characters of what a spreadsheet takes for a formula.
_FORMULA: Final = ("=", "+", "-", "@")


def write_tables(tables: Sequence[PageTable], folder: Path, prefix: str = "") -> list[str]:
    """Write each table three times; gives the names of the files.

    Args:
        prefix: what names begin with, of several studies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [name for table in tables for name in _write_table(table, folder, f"{prefix}{table.name}")]


def _write_table(table: PageTable, folder: Path, stem: str) -> list[str]:
    _write_csv(table.rows, folder / f"{stem}.csv")
    (folder / f"{stem}.md").write_text(render_markdown_table(table.rows) + "\n", encoding="utf-8")
    latex = render_latex_table(table.rows, caption=table.caption, label=stem)
    needs = "% Needs \\usepackage{booktabs}."
    (folder / f"{stem}.tex").write_text(f"{needs}\n{latex}\n", encoding="utf-8")
    return [f"{stem}{ending}" for ending in (".csv", ".md", ".tex")]


def _write_csv(rows: Rows, file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([_guard(escape_hidden(cell)) for cell in row] for row in rows)


def _guard(cell: str) -> str:
    """A name or a text with an apostrophe before what would be a formula; figures stay figures."""
    is_formula = cell.lstrip().startswith(_FORMULA) and find_number(cell) is None and cell != "-"
    return f"'{cell}" if is_formula else cell
