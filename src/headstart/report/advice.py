"""What to do next, in one or two sentences: more seeds, more test examples, or nothing that would help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.config.metrics import MetricInfo
from headstart.records import Contrast, StoppingRule
from headstart.report.groups import warn_of_few_groups
from headstart.report.intervals import NO_USEFUL_INTERVAL, format_ends

ONE_SEED = "One seed gives no interval; use seeds=3 or more."
TWO_SEEDS = "Two seeds are too few for a useful interval; use seeds=3 or more."


def advise(
    rows: Sequence[Contrast], metric: MetricInfo, rule: StoppingRule | None, study: str = ""
) -> Iterator[str]:
    """For the contrasts that are not decided.

    Args:
        study: the folder that `headstart power` reads; empty where there is none.
    """
    yield from warn_of_few_groups(rows)
    undecided = [row for row in rows if row.verdict == "undecided" and row.n_control_seeds is None]
    fewest = min((row.n_seeds for row in undecided), default=0)
    if not undecided or rule is not None:
        yield from _name_limit(undecided, "")
    elif fewest < 3:
        yield ONE_SEED if fewest == 1 else TWO_SEEDS
    elif any(format_ends(row, rule, metric) == NO_USEFUL_INTERVAL for row in undecided):
        yield f"{fewest} seeds are too few for a useful interval here; use more seeds."
    else:
        yield from _name_limit(undecided, f" (headstart power {study} says how many)" if study else "")


def _name_limit(undecided: Sequence[Contrast], how_many: str) -> Iterator[str]:
    """By what intervals are as wide as they are."""
    factors = {row.limiting_factor for row in undecided}
    if factors == {"examples"}:
        yield (
            "What is not clear is limited by the number of test examples: more test examples would help more "
            f"than more seeds{how_many}."
        )
    elif factors == {"seeds"}:
        yield (
            "What is not clear is limited by the number of seeds: more seeds would help more than more test "
            f"examples{how_many}."
        )
    elif factors == {"seeds", "examples"}:
        yield (
            "What is not clear is limited by the number of seeds for some arms, and by that of test "
            f"examples for others{how_many}."
        )
