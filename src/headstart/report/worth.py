"""Label worth in sentences: what is sure of it, and where it is read off a curve that does not bear it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.records import WorthRow, describe_wide_gaps
from headstart.report.numbers import format_metric, format_worth, format_worth_interval


def describe_label_worth(row: WorthRow) -> str | None:
    """What an arm's labels are worth, as far as the interval says: without an end, what is sure; None where
    nothing is."""
    needs = _describe_sure(row)
    if needs is None:
        return None
    score = format_metric(row.metric, row.score)
    return f"{row.arm} with {row.amount:,} labels: {row.metric} {score}; {row.control} needs {needs}."


def _describe_sure(row: WorthRow) -> str | None:
    if row.low is not None and row.high is not None:
        return f"{format_worth(row, 'worth')} for that (95% {format_worth_interval(row)})"
    if row.low is not None:
        return f"at least {format_worth(row, 'low')} for that (95%)"
    if row.high is not None:
        return f"at most {format_worth(row, 'high')} for that (95%)"
    if row.low_beyond == "more than the largest":
        return f"more than {row.largest:,} for that (95%)"
    if row.high_beyond == "less than the smallest":
        return f"fewer than {row.smallest:,} for that (95%)"
    return None


def explain_worth(rows: Sequence[WorthRow], what: str = "labels") -> Iterator[str]:
    """At which level, and where a control's curve falls, or is read between sizes too far apart."""
    if rows:
        yield (
            f"Worth in {what} is estimated, not judged: each holds by itself at 95%, not all at once, and "
            "does not allow for looks before."
        )
    yield from explain_fall(rows, what)
    gaps = list(dict.fromkeys(gap for row in rows for gap in row.wide_gaps))
    if gaps:
        yield f"{rows[0].control} was run with {describe_wide_gaps(gaps, what)}."


def explain_fall(rows: Sequence[WorthRow], what: str = "labels") -> Iterator[str]:
    """Which scores the control reached, and is below again with more."""
    fallen = [row for row in rows if row.below_again is not None]
    if fallen:
        scores = ", ".join(
            f"{format_metric(row.metric, row.score)} with {format_worth(row, 'worth')} (below it again with "
            f"{row.below_again:,})"
            for row in fallen
        )
        yield (
            f"{fallen[0].control} does not only rise with {what}: it reaches {scores}. Worth is the fewest "
            "with which it reaches a score."
        )
