"""What a terminal would show, as HTML for notebooks: escaped, without script or colours of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from headstart.data.controls import escape_hidden
from headstart.report.tables import Column, TerminalTable
from headstart.report.views.text import render_text

if TYPE_CHECKING:
    from headstart.report.figures.figure import Figure

#: Colours are the page's own, so that it can be light or dark.
_STYLE: Final = (
    ".headstart table{border-collapse:collapse;margin:.5em 0}"
    ".headstart th,.headstart td{padding:.15em .7em;white-space:pre-line;color:inherit;background:none}"
    ".headstart thead th{border-bottom:1px solid rgba(128,128,128,.6)}"
    ".headstart .e td{border-bottom:1px solid rgba(128,128,128,.3)}"
    ".headstart caption{caption-side:top;text-align:left;font-weight:bold}"
    ".headstart p{margin:.2em 0}.headstart pre{margin:.3em 0;background:none;color:inherit}"
)
_FIGURE_STYLE: Final = (
    "display:inline-block;width:24em;max-width:100%;margin:.5em .5em 0 0;background:#fff;color:#1b1f24"
)
_TABLES: Final = (Table, TerminalTable)
#: What text has that is laid out in columns of its own.
_COLUMNS: Final = "  "


def render_html(renderable: RenderableType, figures: Sequence[Figure] = ()) -> str:
    """Tables as tables, sentences as paragraphs, what is laid out by spaces as it is, and figures below."""
    blocks = "".join(_render_blocks(_flatten(renderable)))
    drawn = "".join(map(_render_figure, figures))
    return f'<div class="headstart"><style>{_STYLE}</style>{blocks}{drawn}</div>'


def _render_figure(figure: Figure) -> str:
    """On white, whatever the notebook's colours are; ids are of no other figure that the notebook shows."""
    caption = f"<figcaption>{escape(figure.title)}</figcaption>"
    return f'<figure style="{_FIGURE_STYLE}">{figure.svg}{caption}</figure>'


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
            yield from (_render_table(part) for part in of_kind if isinstance(part, _TABLES))


def _name_kind(part: RenderableType) -> str:
    """The element that it becomes: whatever is neither table nor text is shown as a terminal would."""
    if isinstance(part, _TABLES):
        return "table"
    return "p" if isinstance(part, Text) and _COLUMNS not in part.plain.strip() else "pre"


def _escape(part: RenderableType) -> str:
    """Its text, of which a page obeys nothing, and nothing is hidden."""
    return escape(escape_hidden(_read_text(part)))


def _read_text(part: RenderableType | None) -> str:
    """The characters that it shows; of plain text, which is rich's markup, without that."""
    if part is None:
        return ""
    if isinstance(part, str):
        return Text.from_markup(part).plain
    return part.plain if isinstance(part, Text) else render_text(part)


def _render_table(table: Table | TerminalTable) -> str:
    plain = table if isinstance(table, TerminalTable) else _read_rich_table(table)
    title = f"<caption>{_escape(Text(plain.title))}</caption>" if plain.title else ""
    caption = f"<p>{_escape(Text(plain.caption))}</p>" if plain.caption else ""
    heads = [Text(column.head) for column in plain.columns]
    head = f"<thead>{_render_row(plain.columns, heads, 'th')}</thead>" if any(map(str, heads)) else ""
    body = "".join(
        _render_row(plain.columns, row, "td", ends_section=number in plain.sections)
        for number, row in enumerate(plain.rows)
    )
    return f"<table>{title}{head}<tbody>{body}</tbody></table>{caption}"


def _read_rich_table(table: Table) -> TerminalTable:
    """What rich's own table holds; one without a head has empty headings."""
    columns = [
        Column(
            _read_text(column.header) if table.show_header else "",
            "right" if column.justify == "right" else "left",
        )
        for column in table.columns
    ]
    cells = [[Text(_read_text(cell)) for cell in column.cells] for column in table.columns]
    return TerminalTable(
        columns,
        list(zip(*cells, strict=True)),
        _read_text(table.title),
        _read_text(table.caption),
        sections=frozenset(number for number, row in enumerate(table.rows) if row.end_section),
    )


def _render_row(
    columns: Sequence[Column], cells: Iterable[str | Text], tag: str, *, ends_section: bool = False
) -> str:
    shown = "".join(
        f'<{tag} style="text-align:{column.justify}">{_escape(Text(str(cell)))}</{tag}>'
        for column, cell in zip(columns, cells, strict=True)
    )
    return f'<tr class="e">{shown}</tr>' if ends_section else f"<tr>{shown}</tr>"
