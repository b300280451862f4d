"""Looks at results before now, in words: that there were some, and what verdicts then allow for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.records import Contrast, Look
from headstart.stats.looks import compute_look_alpha


def explain_looks(looks: Sequence[Look]) -> Iterator[str]:
    """With how many seeds results were seen before, in a study that no rule made grow."""
    if looks:
        n_looks = len(looks) + 1
        with_seeds = [f"with {len(look.seeds)}" for look in looks]
        *first, last = with_seeds
        shown = f"{', '.join(first)} and {last}" if first else last
        yield (
            f"Results were already inspected {shown} seeds: verdicts and intervals allow for "
            f"{n_looks} looks. The error rate of this look is "
            f"{100 * compute_look_alpha(n_looks):.2g}%, that of all looks together at most 6.25%."
        )


def describe_at_once(row: Contrast) -> str:
    """For what the interval holds beside its own contrast: ` for all 6 contrasts at once and 2 looks`."""
    contrasts = f"all {row.n_tests} contrasts at once" if row.n_tests > 1 else ""
    looks = f"{row.n_looks} looks" if row.n_looks > 1 else ""
    allowed = " and ".join(part for part in (contrasts, looks) if part)
    return f" for {allowed}" if allowed else ""
