"""A comparison for people: tables for a terminal, Markdown or LaTeX from the same cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headstart.report.findings import number, unit

Rows = list[list[str]]


def comparison_view(facts: dict[str, Any], notes: Sequence[str]) -> RenderableType:
    """Both tables and the notes, for a terminal."""
    return Group(*(_rich(rows) for rows in tables(facts)), *(Text(note) for note in notes))


def _rich(rows: Rows) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True)
    for i, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if i == 0 else "right", no_wrap=name in (rows[0][0], "95%"))
    for row in rows[1:]:
        table.add_row(*map(escape, row))
    return table


def markdown(facts: dict[str, Any], notes: Sequence[str]) -> str:
    """The same in Markdown."""
    return "\n\n".join([*(_markdown(rows) for rows in tables(facts)), *notes]) + "\n"


def _markdown(rows: Rows) -> str:
    lines = [_line([cell.replace("|", "\\|") for cell in row]) for row in rows]
    return "\n".join([lines[0], _line(["---", *["---:"] * (len(rows[0]) - 1)]), *lines[1:]])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def latex(facts: dict[str, Any], notes: Sequence[str]) -> str:
    """The same as LaTeX `tabular`s, which need no package; notes as comments."""
    return "\n\n".join([*(_latex(rows) for rows in tables(facts)), *(f"% {note}" for note in notes)]) + "\n"


_SPECIAL = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
)


def _latex(rows: Rows) -> str:
    lines = [" & ".join(cell.translate(_SPECIAL) for cell in row) + r" \\\\" for row in rows]
    kinds = "l" + "r" * (len(rows[0]) - 1)
    inside = [lines[0], r"\hline", *lines[1:]]
    return "\n".join([rf"\begin{{tabular}}{{{kinds}}}", *inside, r"\end{tabular}"])


def tables(facts: dict[str, Any]) -> Iterator[Rows]:
    """Arms, and contrasts, each with its heading first."""
    sized = any(row["size"] != "all" for row in facts["summary"])
    yield _arms(facts, sized)
    if facts["contrasts"]:
        yield _contrasts(facts, sized)
    if facts["label_worth"]:
        yield _worths(facts)


def _arms(facts: dict[str, Any], sized: bool) -> Rows:
    metric = facts["metric"]
    head = [
        "arm",
        *(["texts"] if sized else []),
        "seeds",
        f"{metric} ± sample",
        "± population",
        "95% of mean",
        "worst, best seed",
    ]
    rows = [head]
    for row in facts["summary"]:
        mean, std = number(metric, row["mean"]), number(metric, row["std"])
        rows.append(
            [
                row["arm"],
                *([str(row["size"])] if sized else []),
                str(row["n"]),
                f"{mean} ± {std}" if row["std"] is not None else mean,
                f"± {number(metric, row['std_population'])}" if row["n"] > 1 else "-",
                _interval(metric, row["low"], row["high"]),
                f"{row['worst_seed']}, {row['best_seed']}",
            ]
        )
    return rows


def _contrasts(facts: dict[str, Any], sized: bool) -> Rows:
    what = [unit(facts["metric"]), "95%", "p, Holm", "p, signs", "verdict"]
    against = f"against {facts['control']}" if facts["control"] else "B against A"
    head = [against, *(["texts"] if sized else []), *what]
    return [head, *(_contrast(row, facts["metric"], sized) for row in facts["contrasts"])]


def _contrast(row: dict[str, Any], metric: str, sized: bool) -> list[str]:
    return [
        row["arm"],
        *([str(row["size"])] if sized else []),
        number(metric, row["difference"], signed=True),
        _interval(metric, row["low"], row["high"], signed=True),
        _p(row["corrected"]),
        _p(row["signs"]),
        row["verdict"],
    ]


def _worths(facts: dict[str, Any]) -> Rows:
    """How many labels the control needs for the same score."""
    rows = [["label worth", "labels", f"{facts['metric']}", f"labels of {facts['control']}", "95%"]]
    for row in facts["label_worth"]:
        worth, low, high = (_labels(row, name, facts) for name in ("worth", "low", "high"))
        score = number(facts["metric"], row["score"])
        rows.append(
            [row["arm"], f"{row['labels']:,}", score, worth, low if low == high else f"{low} to {high}"]
        )
    return rows


def _labels(row: dict[str, Any], name: str, facts: dict[str, Any]) -> str:
    own = [one["labels"] for one in facts["label_worth"] if one["arm"] == row["arm"]]
    if row[name] is not None:
        return f"{row[name]:,.0f}"
    if row[f"{name}_beyond"] is None:
        return "-"
    return f"over {max(own):,}" if row[f"{name}_beyond"].startswith("more") else f"under {min(own):,}"


def _interval(metric: str, low: float | None, high: float | None, *, signed: bool = False) -> str:
    if low is None or high is None:
        return "-"
    return f"{number(metric, low, signed=signed)} to {number(metric, high, signed=signed)}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
