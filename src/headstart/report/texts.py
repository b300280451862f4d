"""What a study's examples look like, for a terminal: labels with their counts, lengths as a histogram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import RenderableType
from rich.text import Text

from headstart.data.corpus import Part
from headstart.data.statistics import DataStatistics, LengthStatistics
from headstart.report.histogram import draw_bar, draw_histogram
from headstart.report.tables import Column, TerminalTable

#: Classes that a table shows, the most frequent first; characters of the bars beside them.
_CLASSES, _BAR = 12, 12


def render_labels(data: DataStatistics) -> Iterator[RenderableType]:
    """How often each label stands in each part, or how the numbers of a regression lie."""
    labels = data.labels
    if labels.counts is not None:
        yield _render_counts(labels.counts, data.examples["train"])
    for part, mean in (labels.labels_per_example or {}).items():
        yield Text(f"labels per text, {part}: {mean:.2f} on average")
    if labels.quantiles is not None:
        train = labels.quantiles["train"]
        yield Text(f"labels of train: {train['min']:g} to {train['max']:g}, median {train['median']:g}")
    yield from (Text(f"  {line}") for line in draw_histogram(labels.histogram or ()))


def _render_counts(counts: Mapping[str, Mapping[Part, int]], examples: int) -> TerminalTable:
    """The most frequent labels, and what the others have together.

    Args:
        examples: of train, which shares are of.
    """
    rows: list[tuple[str, ...]] = []
    ordered = sorted(counts, key=lambda label: -counts[label]["train"])
    most = max(counts[ordered[0]]["train"], 1)
    for label in ordered[:_CLASSES]:
        row = counts[label]
        share = f"{draw_bar(row['train'] / most, _BAR)} {100 * row['train'] / examples:.1f}%"
        rows.append((label, f"{row['train']:,}", share, f"{row['valid']:,}", f"{row['test']:,}"))
    if others := [counts[label] for label in ordered[_CLASSES:]]:
        parts: tuple[Part, ...] = ("train", "valid", "test")
        train, valid, test = (f"{sum(row[part] for row in others):,}" for part in parts)
        rows.append((f"{len(others)} more", train, "", valid, test))
    columns = (Column("label", "left"), Column("train"), Column("", "left"), Column("valid"), Column("test"))
    return TerminalTable(columns, rows, row_styles={_CLASSES: "dim"})


def describe_lengths(lengths: Mapping[str, LengthStatistics]) -> Iterator[str]:
    """How long examples are in tokens, for each tokenizer and limit."""
    for name, statistics in lengths.items():
        train = statistics.parts["train"]
        quantiles = train.quantiles
        middle = f"mean {train.mean:.1f}, median {quantiles['median']:.0f}"
        yield f"tokens per training text, for {name}:"
        yield f"  {middle}, 95% of texts up to {quantiles['p95']:.0f}, longest {quantiles['max']:.0f}"
        yield from (f"  {line}" for line in draw_histogram(statistics.histogram))
