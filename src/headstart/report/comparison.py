"""A comparison for people: tables for a terminal, Markdown or LaTeX from the same cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headstart.records import WorthRow
from headstart.report.numbers import number, unit, worth_interval, worth_number

Rows = list[list[str]]
#: Columns whose cells stay on one line, and headings that take two on a terminal.
_LONG: Final = frozenset({"95% seeds", "95% texts", "worst, best", "± pop."})
_WHOLE: Final = _LONG | {"seeds", "texts", "95%", "95%, any time"}


def comparison_view(facts: dict[str, Any], notes: Sequence[str]) -> RenderableType:
    """Both tables and the notes, for a terminal."""
    shown = [part for rows in tables(facts) for part in (_rich(rows), Text())]
    return Group(*shown, *(Text(note) for note in notes))


def _rich(rows: Rows) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
    for i, name in enumerate(rows[0]):
        short = "\n".join(name.split(" ", 1)) if name in _LONG else name
        is_whole = i == 0 or name in _WHOLE or any("±" in row[i] for row in rows)
        table.add_column(short, justify="left" if i == 0 else "right", no_wrap=is_whole)
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
    lines = [" & ".join(cell.translate(_SPECIAL) for cell in row) + r" \\" for row in rows]
    kinds = "l" + "r" * (len(rows[0]) - 1)
    inside = [lines[0], r"\hline", *lines[1:]]
    return "\n".join([rf"\begin{{tabular}}{{{kinds}}}", *inside, r"\end{tabular}"])


def tables(facts: dict[str, Any]) -> Iterator[Rows]:
    """Arms, contrasts, and worth in labels and in updates, each with its heading first."""
    sized = any(row["size"] != "all" for row in facts["summary"])
    yield _arms(facts, sized)
    if facts["contrasts"]:
        yield _contrasts(facts, sized)
    if facts["label_worth"]:
        yield [_worth_head(facts, "label worth", "labels"), *(_worth(row) for row in facts["label_worth"])]
    if facts["step_worth"]:
        head = _worth_head(facts, "worth in updates", "updates", "valid ")
        rows = [_sized(_worth(row), row["size"], sized) for row in facts["step_worth"]]
        yield [_sized(head, "texts", sized), *rows]


def _sized(cells: list[str], size: object, sized: bool) -> list[str]:
    """With the number of texts after the arm, in studies that have several."""
    return [cells[0], str(size), *cells[1:]] if sized else cells


def _arms(facts: dict[str, Any], sized: bool) -> Rows:
    metric = facts["metric"]
    head = ["arm", "seeds", metric, "± pop.", "95% seeds", "95% texts", "worst, best"]
    return [_sized(head, "texts", sized), *(_arm(row, metric, sized) for row in facts["summary"])]


def _arm(row: dict[str, Any], metric: str, sized: bool) -> list[str]:
    mean, std = number(metric, row["mean"]), number(metric, row["std"])
    cells = [
        row["arm"],
        str(row["n"]),
        f"{mean} ± {std}" if row["std"] is not None else mean,
        f"± {number(metric, row['std_population'])}" if row["n"] > 1 else "-",
        _interval(metric, row["low"], row["high"]),
        _interval(metric, row["texts_low"], row["texts_high"]),
        f"{row['worst_seed']}, {row['best_seed']}",
    ]
    return _sized(cells, row["size"], sized)


def _contrasts(facts: dict[str, Any], sized: bool) -> Rows:
    against = f"against {facts['control']}" if facts["control"] else "B against A"
    is_sequential = facts["until_decided"] is not None
    what = ["95%, any time", "seeds"] if is_sequential else ["95%", "p, Holm", "p, signs"]
    head = _sized([against, unit(facts["metric"]), *what, "verdict"], "texts", sized)
    return [head, *(_contrast(row, facts["metric"], sized, is_sequential) for row in facts["contrasts"])]


def _contrast(row: dict[str, Any], metric: str, sized: bool, is_sequential: bool) -> list[str]:
    if is_sequential:
        what = [_interval(metric, row["sequence_low"], row["sequence_high"], signed=True), str(row["n"])]
    else:
        what = [
            _interval(metric, row["low"], row["high"], signed=True),
            _p(row["corrected"]),
            _p(row["signs"]),
        ]
    cells = [row["arm"], number(metric, row["difference"], signed=True), *what, row["verdict"]]
    return _sized(cells, row["size"], sized)


def _worth_head(facts: dict[str, Any], title: str, what: str, part: str = "") -> list[str]:
    return [title, what, f"{part}{facts['metric']}", f"{what} of {facts['control']}", "95%"]


def _worth(row: dict[str, Any]) -> list[str]:
    """How many labels, or updates, the control needs for the same score."""
    own = WorthRow.model_validate(row)
    at = f"{own.at:,}" if own.at else "-"
    return [own.arm, at, number(own.metric, own.score), worth_number(own, "worth"), worth_interval(own)]


def _interval(metric: str, low: float | None, high: float | None, *, signed: bool = False) -> str:
    if low is None or high is None:
        return "-"
    return f"{number(metric, low, signed=signed)} to {number(metric, high, signed=signed)}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
