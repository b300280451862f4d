"""Renders `headstart power`: detectable differences, what a difference requires, which ranks are noise."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headstart.analysis.power import ContrastPower, Leaderboard, PowerAnalysis, Rank
from headstart.report.numbers import format_count, format_metric, get_unit


def render_power(analysis: PowerAnalysis | Leaderboard) -> RenderableType:
    """For a terminal."""
    return _render_leaderboard(analysis) if isinstance(analysis, Leaderboard) else _render_analysis(analysis)


def _render_analysis(analysis: PowerAnalysis) -> RenderableType:
    lines = (line for contrast in analysis.contrasts for line in _describe(contrast, analysis.metric))
    return Group(_make_detectable_table(analysis), *map(Text, lines))


def _make_detectable_table(analysis: PowerAnalysis) -> Table:
    metric = analysis.metric
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True)
    table.title, table.title_justify = (
        f"smallest difference shown four times in five, {get_unit(metric)}",
        "left",
    )
    table.add_column("contrast", no_wrap=True)
    table.add_column("test examples", justify="right")
    for n_seeds in analysis.contrasts[0].detectable_by_seeds:
        table.add_column(format_count(n_seeds, "seed"), justify="right")
    for contrast in analysis.contrasts:
        cells = (format_metric(metric, value) for value in contrast.detectable_by_seeds.values())
        table.add_row(escape(contrast.contrast), f"{contrast.test_examples:,}", *cells)
    return table


def _describe(contrast: ContrastPower, metric: str) -> Iterator[str]:
    shown = f"{format_metric(metric, contrast.detectable_difference)} {get_unit(metric)}"
    seeds = format_count(contrast.n_seeds, "seed")
    examples = format_count(contrast.test_examples, "test example")
    yield f"{contrast.contrast}, {seeds}, {examples}: differences from {shown} on are shown"
    factor = {"seeds": "seeds", "examples": "test examples"}[contrast.limiting_factor]
    other = {"seeds": "test examples", "examples": "seeds"}[contrast.limiting_factor]
    yield f"  {factor} are the limiting factor: more {other} help little"
    if contrast.difference is not None and contrast.power is not None:
        difference = f"{format_metric(metric, contrast.difference)} {get_unit(metric)}"
        yield f"  {difference} would be shown {100 * contrast.power:.0f} times in 100"
        yield f"  with these test examples: {_describe_required(contrast.required_seeds, 'seed')}"
        yield f"  with these seeds: {_describe_required(contrast.required_examples, 'test example')}"


def _describe_required(count: int | None, thing: str) -> str:
    return f"{format_count(count, thing)} are enough" if count else f"no number of {thing}s is enough"


def _render_leaderboard(leaderboard: Leaderboard) -> RenderableType:
    """Which of the best results chance alone could have put behind the first."""
    table = Table("result", box=box.SIMPLE_HEAD)
    for name in (leaderboard.metric, "behind the first", "could be noise"):
        table.add_column(name, justify="right")
    for place, rank in enumerate(leaderboard.ranks):
        table.add_row(*_format_rank(rank, is_first=place == 0))
    note = (
        f"On {leaderboard.test_examples:,} test examples a difference of two single results below "
        f"{100 * leaderboard.noise_limit:.1f} points comes by chance one time in twenty or more often. "
        "Seeds, which single results do not show, and the choice of the best of many come on top."
    )
    return Group(table, Text(note), *(Text(sentence) for sentence in _explain_means(leaderboard)))


def _explain_means(leaderboard: Leaderboard) -> Iterator[str]:
    """Which results are means of several rows."""
    several = [f"{rank.name} of {rank.rows}" for rank in leaderboard.ranks if rank.rows > 1]
    if several:
        yield f"Several rows of one arm are one result, their mean: {', '.join(several)}."


def _format_rank(rank: Rank, *, is_first: bool) -> Iterator[str]:
    yield escape(rank.name)
    yield f"{100 * rank.score:.1f}"
    yield "-" if is_first else f"{100 * rank.difference:.1f}"
    yield "-" if is_first else ("yes" if rank.is_noise else "no")
