"""How keys of runs, durations and gaps between sizes are written; knows no record."""

from __future__ import annotations

from collections.abc import Sequence


def format_run_key(
    arm: str,
    size: int | str,
    seed: int,
    grid_point: tuple[tuple[str, float], ...],
    *,
    for_tuning: bool = False,
) -> str:
    """`arm/size/seed`, and where a grid is tried `/learning_rate=3e-05,weight_decay=0.1` after it.

    Of a run that only chooses among a grid's points the seed is `tuning-1000`, so that such runs stand apart
    wherever runs are listed.
    """
    values = ",".join(f"{name}={value:g}" for name, value in grid_point)
    place = f"{arm}/{size}/{'tuning-' if for_tuning else ''}{seed}"
    return f"{place}/{values}" if values else place


def format_duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def describe_wide_gaps(gaps: Sequence[tuple[int, int]], what: str) -> str:
    """A warning of neighbouring numbers of labels, or updates, that are too far apart to read between."""
    pairs = ", ".join(f"{low:,} and {high:,}" for low, high in gaps)
    return (
        f"no number of {what} between {pairs}, more than a factor of 3 apart: worth estimated in such a gap "
        "assumes that scores rise evenly with each doubling, which they do not; add some in between"
    )
