"""What a study's texts look like, for a terminal: labels with their counts, and lengths as a histogram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headstart.report.histogram import bar, histogram_lines

#: Classes that a table shows, the most frequent first; characters of the bars beside them.
_CLASSES, _BAR = 12, 12


def label_view(facts: Mapping[str, Any]) -> Iterator[RenderableType]:
    """How often each label stands in each part, or how the numbers of a regression lie."""
    found = facts.get("label_statistics") or {}
    if "counts" in found:
        yield _label_table(found["counts"], facts["texts"])
    for part, mean in found.get("labels_a_text", {}).items():
        yield Text(f"labels a text, {part}: {mean:.2f} on average")
    if "numbers" in found:
        own = found["numbers"]["train"]
        yield Text(f"labels of train: {own['min']:g} to {own['max']:g}, median {own['median']:g}")
        yield from (Text(f"  {line}") for line in histogram_lines(found["histogram"]))


def _label_table(counts: Mapping[str, Mapping[str, int]], texts: Mapping[str, int]) -> Table:
    """The most frequent labels, and what the others have together."""
    table = Table("label", box=box.SIMPLE_HEAD)
    table.add_column("train", justify="right")
    table.add_column("")
    for part in ("valid", "test"):
        table.add_column(part, justify="right")
    ordered = sorted(counts, key=lambda label: -counts[label]["train"])
    most = max(counts[ordered[0]]["train"], 1)
    for label in ordered[:_CLASSES]:
        own = counts[label]
        drawn = f"{bar(own['train'] / most, _BAR)} {100 * own['train'] / texts['train']:.1f}%"
        table.add_row(escape(label), f"{own['train']:,}", drawn, f"{own['valid']:,}", f"{own['test']:,}")
    if rest := [counts[label] for label in ordered[_CLASSES:]]:
        train, valid, test = (f"{sum(own[part] for own in rest):,}" for part in ("train", "valid", "test"))
        table.add_row(f"{len(rest)} more", train, "", valid, test, style="dim")
    return table


def length_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """How long texts are in tokens, for each tokenizer and limit."""
    for name, found in facts.get("lengths", {}).items():
        own = found["parts"]["train"]
        middle = f"mean {own['mean']:.1f}, median {own['median']:.0f}"
        yield f"tokens a text of train, for {name}:"
        yield f"  {middle}, 95% of texts up to {own['p95']:.0f}, longest {own['max']:.0f}"
        yield from (f"  {line}" for line in histogram_lines(found["histogram"]))
