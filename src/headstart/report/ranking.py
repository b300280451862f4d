"""Which arm to take, in a table and in sentences: tiers, what runs took, the cheapest within the margin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from headstart.analysis.ranking import Ranking, find_cheapest
from headstart.records import ArmCost, TierRow
from headstart.report.answers import name_size
from headstart.report.collapsed import MARK, qualify_arm
from headstart.report.numbers import format_interval, format_margin, format_metric, get_unit
from headstart.report.tables import TerminalTable, make_table
from headstart.report.units import format_bytes, format_energy, format_run_time
from headstart.wording import format_count, join_names

#: Arms that a sentence names.
_NAMED: Final = 6
#: A margin to start with, in points.
_POINT: Final = 1


def make_ranking_table(ranking: Ranking | None) -> list[list[str]]:
    """A heading and a row for each arm, the best mean first; nothing without a ranking."""
    if ranking is None:
        return []
    has_costs = bool(ranking.costs)
    head = ["ranking", "tier", "rank (95%)", ranking.metric.name]
    head += ["trained parameters", "time per run", "memory"] if has_costs else []
    has_energy = any(cost.joules is not None for cost in ranking.costs.values())
    head += ["energy per run"] * has_energy
    rows = (_format_row(row, ranking, has_costs=has_costs, has_energy=has_energy) for row in ranking.tiers)
    return [head, *rows]


def render_ranking_table(ranking: Ranking) -> TerminalTable:
    """For a terminal, with its caption."""
    return replace(make_table(make_ranking_table(ranking)), caption=describe_ranking_table(ranking))


def _format_row(row: TierRow, ranking: Ranking, *, has_costs: bool, has_energy: bool) -> list[str]:
    mean = format_metric(ranking.metric, row.mean) + (MARK if row.arm in ranking.collapsed else "")
    cells = [row.arm, str(row.tier), format_ranks(row), mean]
    return [*cells, *_format_cost(ranking.costs.get(row.arm), has_energy=has_energy)] if has_costs else cells


def format_ranks(row: TierRow) -> str:
    """`1 to 3`, or the one rank that an arm may have."""
    low, high = row.rank_low, row.rank_high
    return f"{low} to {high}" if high > low else str(low)


def describe_ranking_table(ranking: Ranking | None) -> str:
    """Its caption."""
    if ranking is None:
        return ""
    size = "" if ranking.size == "all" else f" at train size {ranking.size}"
    costs = "; costs are measured, time is the mean over runs" if ranking.costs else ""
    return (
        f"Arms by {ranking.metric.name}{size}: tiers and 95% intervals of ranks, simultaneous over "
        f"{_describe_pairs(ranking)}{costs}{_describe_left_out(ranking)}."
    )


def _describe_left_out(ranking: Ranking) -> str:
    """Which arm of the study the table lacks."""
    if ranking.left_out is None:
        return ""
    but = ", although its mean is better" if ranking.left_out_is_better else ""
    return f"; {ranking.left_out}, the control, is not ranked{but}"


def _format_cost(cost: ArmCost | None, *, has_energy: bool) -> list[str]:
    if cost is None:
        return ["-"] * (3 + has_energy)
    return [
        "-" if cost.parameters is None else f"{cost.parameters:,}",
        format_run_time(cost.seconds),
        _format_memory(cost) or "-",
        *["-" if cost.joules is None else format_energy(cost.joules)] * has_energy,
    ]


def _format_memory(cost: ArmCost) -> str:
    if cost.memory_bytes is None:
        return ""
    together = f" for {cost.together}" if cost.together > 1 else ""
    return f"{format_bytes(cost.memory_bytes)}{together}"


def explain_ranking(ranking: Ranking | None) -> Iterator[str]:
    """At most two sentences: the tiers, and the cheapest arm within the margin or how to ask for it."""
    if ranking is None:
        return
    yield _describe_tiers(ranking)
    if ranking.within_margin is None:
        yield from _suggest_margin(ranking)
    else:
        yield _describe_cheapest(ranking, ranking.within_margin)


def explain_ranking_costs(ranking: Ranking | None) -> Iterator[str]:
    """What the columns of the table are, where it is shown."""
    if ranking is None:
        return
    yield (
        "Ranking: arms of one tier do not beat each other, those of a lower tier are beaten by one above; "
        f"tiers and ranks hold at once with 95%, for {_describe_pairs(ranking)} (Bonferroni)."
    )
    if any(cost.together > 1 for cost in ranking.costs.values()):
        yield "Memory is of a process that trained so many runs at once; time is divided by their number."


def _describe_pairs(ranking: Ranking) -> str:
    count = len(ranking.pairs)
    return f"all {format_count(count, 'pair')}" if count > 1 else "this pair"


def _describe_tiers(ranking: Ranking) -> str:
    level = f"95%, {_describe_pairs(ranking)} at once"
    tiers: dict[int, list[str]] = {}
    for row in ranking.tiers:
        tiers.setdefault(row.tier, []).append(row.arm)
    if len(tiers) == 1:
        shown = f"All in one tier, no pair told apart{_name_size(ranking)}: {_name(ranking, tiers[1])}"
    else:
        named = "; ".join(f"tier {tier}: {_name(ranking, tiers[tier])}" for tier in sorted(tiers))
        shown = f"Best first{_name_size(ranking)}, {named}"
    # Else "the best" would be taken for the best of all.
    beside = _describe_left_out(ranking) if ranking.left_out_is_better else ""
    return f"{shown} ({level}){beside}."


def _qualify(ranking: Ranking, arm: str) -> str:
    return qualify_arm(arm, arm in ranking.collapsed)


def _name(ranking: Ranking, ordered: Sequence[str]) -> str:
    arms = [_qualify(ranking, arm) for arm in ordered]
    if len(arms) <= _NAMED:
        return join_names(arms)
    return f"{', '.join(arms[:_NAMED])} and {len(arms) - _NAMED} more"


def _describe_cheapest(ranking: Ranking, within: Sequence[str]) -> str:
    margin = "" if ranking.margin is None else format_margin(ranking.metric, ranking.margin)
    best = f"within {margin} of the best{_name_size(ranking)}"
    if not within:
        return f"Margin {margin}: no arm is shown to be close enough to the best; more seeds may show it."
    if len(within) == 1:
        return f"Only {_add_gap(ranking, within[0])} is shown to be {best}{_add_cost(ranking, within[0])}."
    cheapest = ranking.cheapest
    if not cheapest:
        gaps = "; ".join(_add_gap(ranking, arm) for arm in within[:_NAMED])
        more = f" and {len(within) - _NAMED} more" if len(within) > _NAMED else ""
        return f"Shown to be {best}: {gaps}{more}."
    arm = cheapest[0].arm
    told = f"{_add_gap(ranking, arm)}{_add_cost(ranking, arm)}"
    if len(cheapest) == 1:
        return f"Cheapest {best}: {told}{_compare_cost(ranking, arm)}."
    fastest = f"the fastest is {_qualify(ranking, cheapest[1].arm)}{_add_cost(ranking, cheapest[1].arm)}"
    return f"Fewest trained parameters {best}: {told}; {fastest}."


def _name_size(ranking: Ranking) -> str:
    return "" if ranking.size == "all" else name_size(ranking.size)


def _add_gap(ranking: Ranking, arm: str) -> str:
    """`lora, -0.9 to +0.4 vs full`: beside the best mean, or where the arm has that beside the next."""
    others = [row.arm for row in ranking.tiers if row.arm != arm]
    ends = ranking.find_gap(arm, others[0]) if others else None
    name = _qualify(ranking, arm)
    if ends is None:
        return name
    interval = format_interval(ranking.metric, *ends, signed=True)
    return f"{name}, {interval} vs {_qualify(ranking, others[0])}"


def _compare_cost(ranking: Ranking, arm: str) -> str:
    """Beside the best mean, unless the arm has it."""
    best = ranking.tiers[0].arm
    return "" if arm == best else f"; the best mean, {_qualify(ranking, best)}{_add_cost(ranking, best)}"


def _add_cost(ranking: Ranking, arm: str) -> str:
    """` (394,754 trained parameters, 12 s and 1.2 GiB per run)`; nothing where it is not known."""
    cost = ranking.costs.get(arm)
    if cost is None:
        return ""
    parameters = [] if cost.parameters is None else [f"{cost.parameters:,} trained parameters"]
    memory = f", {_format_memory(cost)}" if cost.memory_bytes else ""
    together = " at once" if cost.memory_bytes and cost.together > 1 else ""
    return f" ({', '.join([*parameters, f'{format_run_time(cost.seconds)} per run{memory}{together}'])})"


def suggest_compare(ranking: Ranking | None, control: str | None, out: Path) -> list[tuple[str, str]]:
    """A next step: the command that compares every arm with the best of those that are not the control."""
    arm = next((row.arm for row in ranking.tiers if row.arm != control), None) if ranking else None
    return [(f"all vs {arm}", f"headstart compare {out} --control {arm}")] if arm else []


def _suggest_margin(ranking: Ranking) -> Iterator[str]:
    """Where the cheapest arm of the first tier has not the best mean, what would tell if it is enough."""
    best, *others = [row for row in ranking.tiers if row.tier == 1]
    costs = [ranking.costs[row.arm] for row in (best, *others) if row.arm in ranking.costs]
    cheap = find_cheapest(costs)[:1]
    if not cheap or cheap[0].arm == best.arm:
        return
    is_points = get_unit(ranking.metric) == "points"
    what = f"Set margin: {_POINT} (point)" if is_points else f"Set a margin (in {ranking.metric.name})"
    cheapest, first = _qualify(ranking, cheap[0].arm), _qualify(ranking, best.arm)
    yield f"{what} to ask whether {cheapest}, the cheapest of tier 1, is close enough to {first}."
