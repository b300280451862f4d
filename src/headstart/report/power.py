"""What `headstart power` shows: what a contrast can show, what a gap would need, which ranks are noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headstart.report.numbers import number, unit


def view(facts: Mapping[str, Any]) -> RenderableType:
    """What `headstart.sample_size.power_facts` gives, for a terminal."""
    if "ranks" in facts:
        return _leaderboard(facts["limit"], facts["ranks"], facts["texts"])
    metric, found = facts["metric"], facts["contrasts"]
    return Group(
        _detectable_table(metric, found), *(Text(line) for one in found for line in _lines(metric, one))
    )


def _detectable_table(metric: str, found: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True)
    table.title, table.title_justify = f"smallest difference shown four times in five, {unit(metric)}", "left"
    table.add_column("contrast", no_wrap=True)
    table.add_column("texts", justify="right")
    for seeds in found[0]["detectable_by_seeds"]:
        table.add_column(f"{seeds} seed{'s' if seeds != '1' else ''}", justify="right")
    for one in found:
        cells = (number(metric, value) for value in one["detectable_by_seeds"].values())
        table.add_row(escape(one["contrast"]), f"{one['texts']:,}", *cells)
    return table


def _lines(metric: str, one: Mapping[str, Any]) -> Iterator[str]:
    what = f"{number(metric, one['detectable'])} {unit(metric)}"
    of = f"{one['contrast']}, {_seeds(one['seeds'])}, {one['texts']:,} texts"
    yield f"{of}: differences from {what} on are shown"
    other = {"seeds": "texts", "texts": "seeds"}[one["binds"]]
    yield f"  the {one['binds']} bind: more {other} help little"
    if "gap" in one:
        yield from _needed(metric, one)


def _needed(metric: str, one: Mapping[str, Any]) -> Iterator[str]:
    gap = f"{number(metric, one['gap'])} {unit(metric)}"
    yield f"  {gap} would be shown {100 * one['power']:.0f} times in 100"
    seeds, texts = one["seeds_needed"], one["texts_needed"]
    yield f"  with these texts: {_seeds(seeds) + ' are enough' if seeds else 'no number of seeds is enough'}"
    yield f"  with these seeds: {f'{texts:,} texts are enough' if texts else 'no number of texts is enough'}"


def _seeds(count: int) -> str:
    return f"{count:,} seed" if count == 1 else f"{count:,} seeds"


def _leaderboard(limit: float, ranks: Sequence[Mapping[str, Any]], texts: int) -> RenderableType:
    """Which of the best results chance alone could have put behind the first."""
    table = Table("result", box=box.SIMPLE_HEAD)
    for name in ("score", "behind the first", "could be noise"):
        table.add_column(name, justify="right")
    for one in ranks:
        verdict = "-" if one["gap"] == 0 else ("yes" if one["is_noise"] else "no")
        gap = "-" if one["gap"] == 0 else f"{100 * one['gap']:.1f}"
        table.add_row(escape(one["name"]), f"{100 * one['score']:.1f}", gap, verdict)
    note = (
        f"On {texts:,} texts a gap of two single results below {100 * limit:.1f} points comes by chance "
        "one time in twenty or more often. Seeds, which single results do not show, and the choice of the "
        "best of many come on top."
    )
    return Group(table, Text(note))
