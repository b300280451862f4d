"""Renders `headstart power`: detectable differences, what a difference requires, which ranks are noise."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.analysis.power import ContrastPower, Leaderboard, PowerAnalysis, Rank
from headstart.config.metrics import describe_metric
from headstart.report.numbers import format_metric, get_unit
from headstart.report.tables import Column, TerminalTable, make_table
from headstart.wording import format_count, join_ends


def render_power(analysis: PowerAnalysis | Leaderboard) -> RenderableType:
    """For a terminal."""
    return _render_leaderboard(analysis) if isinstance(analysis, Leaderboard) else _render_analysis(analysis)


def _render_analysis(analysis: PowerAnalysis) -> RenderableType:
    lines = (line for contrast in analysis.contrasts for line in _describe(contrast, analysis.metric))
    notes = (*lines, *_explain(analysis), *_explain_collapsed(analysis))
    return Group(_make_detectable_table(analysis), Text(), *map(Text, notes))


def _make_detectable_table(analysis: PowerAnalysis) -> TerminalTable:
    """Seeds across, test examples down: what each pair of them shows."""
    metric = analysis.metric
    seeds = [format_count(n_seeds, "seed") for n_seeds in analysis.contrasts[0].detectable_by_seeds]
    rows, sections = list[tuple[str, ...]](), set[int]()
    for contrast in analysis.contrasts:
        for count, by_seeds in contrast.detectable_by_pair.items():
            cells = (_format_detectable(metric, value) for value in by_seeds.values())
            name = contrast.contrast if count == min(contrast.detectable_by_pair) else ""
            rows.append((name, f"{count:,}", *cells))
        sections.add(len(rows) - 1)
    return TerminalTable(
        (Column("contrast", "left"), Column("test examples"), *map(Column, seeds)),
        rows,
        title=f"minimum detectable difference (80% power), {get_unit(metric)}",
        keys=2,
        sections=frozenset(sections),
    )


def _describe(contrast: ContrastPower, metric: str) -> Iterator[str]:
    seeds = format_count(contrast.n_seeds, "seed")
    examples = format_count(contrast.test_examples, "test example")
    yield f"{contrast.contrast}, {seeds}, {examples}: {_describe_detectable(contrast, metric)}"
    if contrast.squares is not None and contrast.detectable_range is not None:
        measured = format_count(contrast.squares.n_seeds, "seed")
        ends = _describe_ends(contrast.detectable_range, metric)
        yield f"  variances from {measured} are uncertain: {ends}"
    factor = {"seeds": "seeds", "examples": "test examples"}[contrast.limiting_factor]
    yield f"  {factor} are the limiting factor: {_describe_doubled(contrast, metric)}"
    if contrast.difference is not None:
        yield from _describe_difference(contrast, contrast.difference, metric)


def _describe_detectable(contrast: ContrastPower, metric: str) -> str:
    """What is detected, or that nothing is: no difference can be as large as it would have to be."""
    if contrast.detectable_difference > _find_most(metric):
        return "cannot detect any difference"
    shown = _format_detectable(metric, contrast.detectable_difference)
    return f"can detect differences of {shown} {get_unit(metric)} or more"


def _describe_ends(ends: tuple[float, float], metric: str) -> str:
    """The range of what is detectable; one figure where both ends are written alike."""
    if min(ends) > _find_most(metric):
        return "none would be detected anywhere in the 80% range"
    return f"{join_ends(*(_format_detectable(metric, end) for end in ends))} (80% range)"


def _describe_doubled(contrast: ContrastPower, metric: str) -> str:
    by_seeds, by_examples = contrast.detectable_doubled
    if min(by_seeds, by_examples) > _find_most(metric):
        return "twice the seeds or twice the examples are not enough either"
    seeds, examples = (_format_detectable(metric, value) for value in (by_seeds, by_examples))
    return f"{seeds} with twice the seeds, {examples} with twice the examples"


def _describe_difference(contrast: ContrastPower, difference: float, metric: str) -> Iterator[str]:
    """How often it is shown, and what would show it."""
    shown = _format_difference(metric, difference)
    if contrast.power is not None:
        yield f"  power for a difference of {shown}: {100 * contrast.power:.0f}%"
    seeds = _describe_required(contrast.required_seeds, "seed", contrast.required_seeds_range)
    yield f"  with these test examples: {seeds}"
    examples = _describe_required(
        contrast.required_examples, "test example", contrast.required_examples_range
    )
    yield f"  with these seeds: {examples}"
    cost = f"{contrast.seed_cost:g} test examples per seed"
    if contrast.cheapest_pair is None:
        yield "  no combination of seeds and test examples is enough"
    else:
        pair = contrast.cheapest_pair
        counts = f"{format_count(pair.n_seeds, 'seed')}, {format_count(pair.n_examples, 'test example')}"
        yield f"  cheapest combination that detects it, at {cost}: {counts}"


def _format_detectable(metric: str, difference: float) -> str:
    """Shares cannot differ by more than 100 points, nor correlations by 2."""
    most = _find_most(metric)
    if difference <= most:
        return format_metric(metric, difference)
    return f"over {format_metric(metric, most).rstrip('0').rstrip('.')}"


def _find_most(metric: str) -> float:
    lowest, highest = describe_metric(metric).bounds
    return highest - lowest


def _format_difference(metric: str, difference: float) -> str:
    return f"{format_metric(metric, difference)} {get_unit(metric)}"


def _describe_required(count: int | None, thing: str, ends: tuple[int | None, int | None] | None) -> str:
    enough = f"{format_count(count, thing)} are enough" if count else f"no number of {thing}s is enough"
    if ends is None or (count is None and ends[0] is None):
        return enough
    return f"{enough} ({_describe_range(*ends)})"


def _describe_range(low: int | None, high: int | None) -> str:
    """Where a required number lies."""
    if low is None:
        return "80% range: none"
    if high is None:
        return f"80% range: {low:,} to unlimited"
    return f"80% range: {join_ends(f'{low:,}', f'{high:,}')}"


def _explain(analysis: PowerAnalysis) -> Iterator[str]:
    """At which level, and on what the figures rest."""
    n_tests = analysis.contrasts[0].n_tests
    if n_tests > 1:
        yield (
            f"Detected means by simultaneous intervals of all {n_tests} contrasts: each at "
            f"{100 * (1 - analysis.contrasts[0].level):.3g}%."
        )
    if analysis.contrasts[0].squares is None:
        yield from _explain_assumptions(analysis.contrasts[0])
        return
    yield "Variances measured with few seeds are rough. In brackets: 80% range; plan with the upper end."
    if any(contrast.variances.group_size > 1 for contrast in analysis.contrasts):
        size = max(contrast.variances.group_size for contrast in analysis.contrasts)
        yield f"Test examples come in groups of {size:.3g} on average, as in the measured ones."


def _explain_collapsed(analysis: PowerAnalysis) -> Iterator[str]:
    """That variances are those of models that learnt nothing, where they are."""
    yield from (warning.message for warning in analysis.warnings)
    if analysis.warnings:
        yield (
            "Collapsed models vary differently from models that learn: the figures above do not hold "
            "for models that do."
        )


def _explain_assumptions(contrast: ContrastPower) -> Iterator[str]:
    variances = contrast.variances
    if variances.persistent_share is not None:
        disagreement = f"{100 * (variances.examples + variances.residual):.3g}%"
        yield (
            f"Assumed: two models disagree on {disagreement} of the examples, "
            f"{100 * variances.persistent_share:.0f}% of that the same for every pair of seeds. "
            "headstart power FOLDER measures both in a finished study."
        )


def _render_leaderboard(leaderboard: Leaderboard) -> RenderableType:
    """Which of the best results chance alone could have put behind the first."""
    head = ["result", leaderboard.metric, "behind the first", "could be noise"]
    ranks = (list(_format_rank(rank, is_first=i == 0)) for i, rank in enumerate(leaderboard.ranks))
    table = make_table([head, *ranks])
    note = (
        f"On {leaderboard.test_examples:,} test examples a difference of two single results below "
        f"{100 * leaderboard.noise_limit:.1f} points can arise by chance with a probability of 5% or "
        "more. Variation over seeds, which single results do not show, and picking the best of many "
        "add to that."
    )
    return Group(table, Text(), Text(note), *(Text(sentence) for sentence in _explain_means(leaderboard)))


def _explain_means(leaderboard: Leaderboard) -> Iterator[str]:
    """Which results are means of several rows."""
    several = [f"{rank.name} of {rank.rows}" for rank in leaderboard.ranks if rank.rows > 1]
    if several:
        yield f"Rows of the same arm are averaged: {', '.join(several)}."


def _format_rank(rank: Rank, *, is_first: bool) -> Iterator[str]:
    yield rank.name
    yield f"{100 * rank.score:.1f}"
    yield "-" if is_first else f"{100 * rank.difference:.1f}"
    yield "-" if is_first else ("yes" if rank.is_noise else "no")
