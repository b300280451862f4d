"""Label worth in sentences: what is sure of it, and where it is read off a curve that does not bear it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.records import WorthRow, describe_wide_gaps
from headstart.report.numbers import format_metric, format_score, format_worth, format_worth_interval
from headstart.wording import format_count


def describe_label_worths(rows: Sequence[WorthRow]) -> list[str]:
    """A sentence for each arm of which something is sure; else one for all, that nothing is."""
    told = [sentence for row in rows if (sentence := describe_label_worth(row))]
    return told or list(explain_unknown_worth(rows))


def select_first_told(rows: Sequence[WorthRow]) -> list[WorthRow]:
    """Of each arm the row with fewest labels of which something is sure, else that with fewest labels."""
    of_arm: dict[str, list[WorthRow]] = {}
    for row in sorted(rows, key=lambda row: row.amount):
        of_arm.setdefault(row.arm, []).append(row)
    return [next(filter(is_told, mine), mine[0]) for mine in of_arm.values()]


def explain_unknown_worth(rows: Sequence[WorthRow], what: str = "labels") -> Iterator[str]:
    """That these sizes do not tell what anything is worth, said once."""
    if rows and not any(is_told(row) for row in rows):
        row = rows[0]
        yield (
            f"How many {what} of {row.control} the other arms are worth cannot be estimated from these sizes "
            f"({row.smallest:,} to {row.largest:,} {what})."
        )


def is_told(row: WorthRow) -> bool:
    """Whether its interval is not all that the control was run with, `under 64 to over 256`."""
    return row.low_beyond != "less than the smallest" or row.high_beyond != "more than the largest"


def describe_label_worth(row: WorthRow) -> str | None:
    """What an arm's labels are worth, as far as the interval says: without an end, what is sure; None where
    nothing is."""
    needs = _describe_sure(row)
    if needs is None:
        return None
    score = f"{format_score(row.metric, row.score)} {row.metric}"
    return f"{row.arm} reaches {score} with {format_count(row.amount, 'label')}; {row.control} needs {needs}."


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
    yield from explain_unknown_worth(rows, what)
    if any(is_told(row) for row in rows):
        yield (
            f"Worth in {what} is estimated, without a verdict: each 95% interval holds on its own, "
            "not simultaneously, and is not adjusted for earlier looks."
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
            f"{fallen[0].control} does not rise steadily with {what}: it reaches {scores}. Worth is "
            "the fewest with which it reaches a score."
        )
