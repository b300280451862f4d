"""How numbers are written: shares as percentages, differences in points, worth with what lies beyond."""

from __future__ import annotations

from headstart.config.metrics import SHARES
from headstart.records import WorthRow


def number(metric: str, value: float | None, *, signed: bool = False) -> str:
    """A metric's value as people write it: shares as percentages with one decimal."""
    if value is None:
        return "-"
    scaled, digits = (100 * value, 1) if metric in SHARES else (value, 3)
    return f"{scaled:{'+' if signed else ''}.{digits}f}"


def unit(metric: str) -> str:
    """What a difference of the metric is counted in."""
    return "points" if metric in SHARES else metric


def worth_interval(row: WorthRow) -> str:
    """Both ends of a worth's interval; one where they are the same."""
    low, high = (worth_number(row, name) for name in ("low", "high"))
    return low if low == high else f"{low} to {high}"


def worth_number(row: WorthRow, name: str) -> str:
    """A worth, or an end of its interval: `1,030`, `over 2,000`, or `-` where it is not known."""
    value, beyond = getattr(row, name), getattr(row, f"{name}_beyond")
    if value is not None:
        return f"{value:,.0f}"
    if beyond is None:
        return "-"
    return f"over {row.largest:,}" if beyond.startswith("more") else f"under {row.smallest:,}"
