"""Plain cells as tables of a terminal, of Markdown and of LaTeX: escaping, alignment, line ends."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from headstart.report.table_formats import (
    render_latex_table,
    render_markdown_table,
    render_terminal_table,
)

ROWS = [["arm", "95% seeds", "note"], ["[red]a_b|c&d", "61.0 ± 2.0", "~50% of $3 {x} #1 \\ ^"]]


def terminal(rows: list[list[str]], width: int = 80, **options: Any) -> list[str]:
    stream = StringIO()
    Console(file=stream, width=width).print(render_terminal_table(rows, **options))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_terminal_shows_cells_as_they_are() -> None:
    head, _, row = terminal(ROWS)
    assert head.split() == ["arm", "95%", "seeds", "note"]
    assert row == "[red]a_b|c&d  61.0 ± 2.0  ~50% of $3 {x} #1 \\ ^"


def test_names_stand_on_the_left_and_figures_on_the_right() -> None:
    rows = [["arm", "seeds"], ["a", "3"], ["longer", "10"]]
    assert terminal(rows) == ["arm     seeds", "─" * 13, "a           3", "longer     10"]


def test_headings_may_take_two_lines() -> None:
    rows = [["arm", "95% test examples"], ["a", "1.0 to 2.0"]]
    lines = terminal(rows, two_line_heads={"95% test examples"})
    assert [line.split() for line in lines[:2]] == [["95%", "test"], ["arm", "examples"]]
    assert lines[0].index("95%") > lines[1].index("arm")


def test_unbroken_cells_stay_on_one_line_where_others_wrap() -> None:
    rows = [["arm", "interval", "words"], ["a", "+10.0 to +20.0", "one two three four"]]
    lines = terminal(rows, width=26, unbroken={"interval"})
    assert any("+10.0 to +20.0" in line for line in lines)
    assert not any("one two three four" in line for line in lines)


def test_markdown_escapes_bars_and_aligns_figures_on_the_right() -> None:
    assert render_markdown_table(ROWS).splitlines() == [
        "| arm | 95% seeds | note |",
        "| --- | ---: | ---: |",
        "| [red]a_b\\|c&d | 61.0 ± 2.0 | ~50% of $3 {x} #1 \\\\ ^ |",
    ]


def test_latex_escapes_what_it_would_read() -> None:
    assert render_latex_table(ROWS).splitlines() == [
        r"\begin{tabular}{lrr}",
        r"arm & 95\% seeds & note \\",
        r"\hline",
        r"{}[red]a\_b|c\&d & 61.0 $\pm$ 2.0 & \textasciitilde{}50\% of \$3 \{x\} \#1 \textbackslash{} "
        r"\textasciicircum{} \\",
        r"\end{tabular}",
    ]


def test_a_table_of_its_heading_alone_is_a_table() -> None:
    assert render_markdown_table([["arm", "seeds"]]) == "| arm | seeds |\n| --- | ---: |"
    assert render_latex_table([["arm", "seeds"]]).endswith("\\hline\n\\end{tabular}")


def test_long_names_are_folded_and_no_figure_is_cut() -> None:
    name = "a-model-with-a-name-of-some-seventy-letters-as-hubs-have-them-0123456789"
    rows = [
        ["against b", "points", "95%, all 6", "p", "verdict"],
        [name, "+10.5", "+9.4 to +11.6", "0.004", "better"],
    ]
    lines = terminal(rows, unbroken=set(rows[0]) - {"verdict"})
    assert all(cell in lines[2] for cell in rows[1][1:])
    assert "".join(line.split()[0] for line in lines[2:]) == name
