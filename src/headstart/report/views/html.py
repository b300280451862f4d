"""What a terminal would show, as HTML for notebooks: escaped, without script or colours of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from headstart.data.controls import escape_hidden
from headstart.report.views.text import render_text

#: Colours are the page's own, so that it can be light or dark.
_STYLE: Final = (
    ".headstart table{border-collapse:collapse;margin:.5em 0}"
    ".headstart th,.headstart td{padding:.15em .7em;white-space:pre-line;color:inherit;background:none}"
    ".headstart thead th{border-bottom:1px solid rgba(128,128,128,.6)}"
    ".headstart .e td{border-bottom:1px solid rgba(128,128,128,.3)}"
    ".headstart caption{caption-side:top;text-align:left;font-weight:bold}"
    ".headstart p{margin:.2em 0}.headstart pre{margin:.3em 0;background:none;color:inherit}"
)
#: What text has that is laid out in columns of its own.
_COLUMNS: Final = "  "


def render_html(renderable: RenderableType) -> str:
    """Tables as tables, sentences as paragraphs, and what is laid out by spaces as it is."""
    blocks = "".join(_render_blocks(_flatten(renderable)))
    return f'<div class="headstart"><style>{_STYLE}</style>{blocks}</div>'


def _flatten(renderable: RenderableType) -> Iterator[RenderableType]:
    if isinstance(renderable, Group):
        for part in renderable.renderables:
            yield from _flatten(part)
    elif isinstance(renderable, Padding):
        yield from _flatten(renderable.renderable)
    elif isinstance(renderable, Text):
        yield from (Text(line) for line in renderable.plain.split("\n"))
    else:
        yield renderable


def _render_blocks(parts: Iterable[RenderableType]) -> Iterator[str]:
    for kind, of_kind in groupby(parts, key=_name_kind):
        if kind == "pre":
            yield f"<pre>{chr(10).join(map(_escape, of_kind))}</pre>"
        elif kind == "p":
            yield from (f"<p>{text}</p>" for text in map(_escape, of_kind) if text.strip())
        else:
            yield from (_render_table(part) for part in of_kind if isinstance(part, Table))


def _name_kind(part: RenderableType) -> str:
    """The element that it becomes: whatever is neither table nor text is shown as a terminal would."""
    if isinstance(part, Table):
        return "table"
    return "p" if isinstance(part, Text) and _COLUMNS not in part.plain.strip() else "pre"


def _escape(part: RenderableType | None) -> str:
    """Its text, of which a page obeys nothing, and nothing is hidden."""
    if part is None:
        return ""
    if isinstance(part, str):
        part = Text.from_markup(part)
    plain = part.plain if isinstance(part, Text) else render_text(part)
    return escape(escape_hidden(plain))


def _render_table(table: Table) -> str:
    title = f"<caption>{_escape(table.title)}</caption>" if table.title else ""
    caption = f"<p>{_escape(table.caption)}</p>" if table.caption else ""
    head = _render_row(table.columns, [column.header for column in table.columns], "th")
    shown_head = f"<thead>{head}</thead>" if table.show_header else ""
    body = "".join(_render_body(table))
    return f"<table>{title}{shown_head}<tbody>{body}</tbody></table>{caption}"


def _render_body(table: Table) -> Iterator[str]:
    cells = [list(column.cells) for column in table.columns]
    for row, of_row in zip(table.rows, zip(*cells, strict=True), strict=True):
        yield _render_row(table.columns, of_row, "td", ends_section=row.end_section)


def _render_row(
    columns: Sequence[Column], cells: Iterable[RenderableType], tag: str, *, ends_section: bool = False
) -> str:
    shown = "".join(
        f'<{tag} style="text-align:{column.justify if column.justify == "right" else "left"}">'
        f"{_escape(cell)}</{tag}>"
        for column, cell in zip(columns, cells, strict=True)
    )
    return f'<tr class="e">{shown}</tr>' if ends_section else f"<tr>{shown}</tr>"
