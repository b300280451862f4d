"""How numbers are written: shares as percentages, differences in points, worth with what lies beyond."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from headstart.config.metrics import MetricInfo, describe_metric
from headstart.records import WorthRow
from headstart.wording import join_ends

#: How tables call what is tuned.
SHORT: Final = {"learning_rate": "rate", "weight_decay": "decay"}


def format_metric(metric: str | MetricInfo, value: float | None, *, signed: bool = False) -> str:
    """A metric's value as people write it: shares as percentages with one decimal.

    Args:
        metric: what is known of it; of Headstart's own its name.
    """
    if value is None:
        return "-"
    info = _describe(metric)
    scaled, digits = (100 * value, 1) if info.is_share else (value, info.decimals)
    return f"{scaled:{'+' if signed else ''}.{digits}f}"


def format_score(metric: str | MetricInfo, value: float | None) -> str:
    """A metric's value in a sentence: `72.9%`, or `0.412`."""
    text = format_metric(metric, value)
    return f"{text}%" if _describe(metric).is_share and value is not None else text


def format_amount(metric: str | MetricInfo, value: float) -> str:
    """The size of a difference, or a margin: `17.2 points`, or `0.031 loss`."""
    return f"{format_metric(metric, abs(value))} {get_unit(metric)}"


def format_margin(metric: str | MetricInfo, value: float) -> str:
    """A number of the metric's units as a user wrote it: `1 point`, `0.5 points`, `0.02 loss`."""
    unit = get_unit(metric)
    return f"{value:g} {'point' if unit == 'points' and value == 1 else unit}"


def get_unit(metric: str | MetricInfo) -> str:
    """What a difference of the metric is counted in."""
    return _describe(metric).unit


def _describe(metric: str | MetricInfo) -> MetricInfo:
    return metric if isinstance(metric, MetricInfo) else describe_metric(metric)


def format_interval(
    metric: str | MetricInfo, low: float | None, high: float | None, *, signed: bool = False
) -> str:
    """`61.0 to 66.0`, or `-` where there is none."""
    if low is None or high is None:
        return "-"
    return f"{format_metric(metric, low, signed=signed)} to {format_metric(metric, high, signed=signed)}"


def format_p(value: float | None) -> str:
    """A p value with three decimals."""
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def format_hyperparameters(values: Mapping[str, float]) -> str:
    """`rate 0.0001, decay 0.1`."""
    return ", ".join(f"{SHORT[name]} {value:g}" for name, value in values.items())


def format_worth_interval(row: WorthRow) -> str:
    """Both ends of a worth's interval; one where they are the same."""
    return join_ends(format_worth(row, "low"), format_worth(row, "high"))


def format_worth(row: WorthRow, name: str) -> str:
    """A worth, or an end of its interval: `1,030`, `over 2,000`, or `-` where it is not known."""
    value, beyond = getattr(row, name), getattr(row, f"{name}_beyond")
    if value is not None:
        return f"{value:,.0f}"
    if beyond is None:
        return "-"
    return f"over {row.largest:,}" if beyond.startswith("more") else f"under {row.smallest:,}"
