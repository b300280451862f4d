"""HTML for notebooks: what texts hold is shown and never obeyed, and colours are the page's."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from rich.console import Group
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from headstart.report.tables import Column, TerminalTable
from headstart.report.views.html import render_html

ODD = '<script>alert("x")</script> & \x1b[31m\u202e'
SHOWN = "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; \\x1b[31m\\u202e"


def make_table() -> Table:
    table = Table(title=Text("runs"), caption="[bold]a[/bold] caption")
    table.add_column("arm")
    table.add_column("mean", justify="right")
    table.add_row(Text(ODD), "1.5")
    table.add_section()
    table.add_row("[b]b[/b]", "2.5")
    return table


def test_a_table_is_a_table_with_its_cells_escaped() -> None:
    html = render_html(Group(make_table()))
    assert f'<td style="text-align:left">{SHOWN}</td><td style="text-align:right">1.5</td>' in html
    assert "<caption>runs</caption><thead><tr>" in html
    assert html.count("<tr") == 3
    assert html.count('<tr class="e">') == 1
    assert "<p>a caption</p>" in html
    assert '<td style="text-align:left">b</td>' in html


def test_the_tables_of_reports_are_tables_too() -> None:
    table = TerminalTable(
        (Column("arm", "left"), Column("[b]mean")),
        ((ODD, "[i]1.5"), ("b", Text("2.5"))),
        title="runs [x]",
        caption="a caption",
        sections=frozenset({0}),
    )
    html = render_html(Group(table))
    assert f'<td style="text-align:left">{SHOWN}</td><td style="text-align:right">[i]1.5</td>' in html
    assert "<caption>runs [x]</caption><thead><tr>" in html
    assert '<th style="text-align:right">[b]mean</th>' in html
    assert html.count('<tr class="e">') == 1
    assert "<p>a caption</p>" in html


def test_sentences_are_paragraphs_and_columns_of_text_stay_as_they_are() -> None:
    html = render_html(Group(Text(ODD), Text(), Text("a  ██ 1\nb  █  2"), Padding(Text("end"), 1)))
    assert html.endswith(f"<p>{SHOWN}</p><pre>a  ██ 1\nb  █  2</pre><p>end</p></div>")


def test_what_is_neither_is_shown_as_a_terminal_would() -> None:
    html = render_html(Markdown("# Head\n\ntext `<b>`"))
    assert re.search(r"<pre>[^<]*Head[^<]*text &lt;b&gt;\s*</pre>", html)


def test_there_is_no_script_and_no_colour_but_greys_that_let_the_page_through() -> None:
    html = render_html(make_table())
    assert "<script" not in html
    assert "http" not in html
    assert re.findall(r"#[0-9a-f]{3,6}\b|rgb\(", html) == []
    assert set(re.findall(r"rgba\(([^)]*),", html)) == {"128,128,128"}
    assert len(html) < 1600


def test_what_is_opened_is_closed() -> None:
    html = render_html(Group(make_table(), Text(ODD), Text("a  b"), make_table()))
    assert ElementTree.fromstring(html).find("table") is not None
