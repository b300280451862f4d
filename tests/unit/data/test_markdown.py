"""Any text is shown by Markdown as it is; a parser of Markdown is the oracle."""

from __future__ import annotations

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from headstart.data.controls import escape_hidden
from headstart.data.markdown import escape_markdown, escape_markdown_cell, format_code

PARSER = MarkdownIt("commonmark").enable("table")
MARKS = st.text("`*_[]()<>&|\\!#$~-=+. ab\n\t@:/{}\x1b\u202e", max_size=30)
HOSTILE = [
    "`x` <script>alert(1)</script>",
    "](javascript:alert(1))",
    "![x](http://x/y.png)",
    "[a](b)",
    "**bold** _it_",
    "a|b",
    "--- \n---",
    "# head",
    "&lt;b&gt;",
    "``",
    "`",
    "\x1b[31mred",
    "<http://x>",
    "\\",
    "a\nb",
]


def list_inline(markdown: str) -> list[tuple[str, str]]:
    """The kinds and contents of what stands in the one paragraph of `markdown`."""
    tokens = PARSER.parse(markdown)
    (paragraph,) = [token for token in tokens if token.type == "inline"]
    return [(token.type, token.content) for token in paragraph.children or ()]


@given(MARKS | st.sampled_from(HOSTILE))
def test_a_line_holds_text_and_nothing_else(text: str) -> None:
    kinds = list_inline(f"x {escape_markdown(text)} y")
    assert {kind for kind, _ in kinds} <= {"text", "text_special"}
    shown = " ".join(escape_hidden(text).split())
    assert "".join(content for _, content in kinds).split() == f"x {shown} y".split()


@given(MARKS | st.sampled_from(HOSTILE))
def test_code_holds_the_text_whatever_backticks_it_has(text: str) -> None:
    kinds = list_inline(f"x {format_code(text)}, y")
    shown = escape_hidden(text).replace("\n", "\\n").replace("\t", "\\t")
    expected = (
        [("text", "x "), ("code_inline", shown), ("text", ", y")] if shown else [("text", "x (empty), y")]
    )
    assert kinds == expected


@given(MARKS | st.sampled_from(HOSTILE))
def test_a_cell_stays_one_cell(text: str) -> None:
    html = PARSER.render(f"| a | b |\n| --- | --- |\n| {escape_markdown_cell(text)} | 1 |\n")
    assert html.count("<td>") == 2
    assert not any(mark in html for mark in ("<code", "<em", "<strong", "<a ", "<img", "<script"))
    shown = " ".join(escape_hidden(text).split())
    if "&" not in shown:  # an entity is the character that it names, which does no harm
        assert unescape(html.split("<td>")[1].split("</td>")[0]) == shown


@pytest.mark.parametrize("text", ["81.2 ± 0.3", "-0.4 [-1.2, 0.4]", "0.03", "lora_r8 - full", "> 99%"])
def test_figures_and_plain_names_stay_as_they_are_in_cells(text: str) -> None:
    assert escape_markdown_cell(text) == text


@pytest.mark.parametrize("text", ["Does it help?", "été, 漢字 (r = 16): yes!"])
def test_plain_questions_stay_as_they_are(text: str) -> None:
    assert escape_markdown(text) == text


def test_mentions_and_bare_links_are_none() -> None:
    assert escape_markdown("@all http://x.y www.x.y") == r"\@all http\://x.y www\.x.y"


def test_long_names_are_cut() -> None:
    assert len(format_code("x" * 5000)) < 300
