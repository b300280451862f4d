"""What `headstart report` prints: where the page is, how large, and what lies beside it."""

from __future__ import annotations

from headstart.report.page.written import WrittenReport
from headstart.wording import format_count


def render_report(written: WrittenReport) -> str:
    """`wrote report/index.html (112 kB), 9 figures, 14 tables`."""
    files = [format_count(len(written.figures), "figure")] if written.figures else []
    files += [format_count(len(written.tables) // 3, "table")] if written.tables else []
    beside = f", with {' and '.join(files)} beside it" if files else ""
    return f"wrote {written.page} ({max(1, round(written.page_bytes / 1000)):,} kB){beside}"
