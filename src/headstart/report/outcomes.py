"""Sentences about runs that failed, and about runs that learnt nothing, said beside the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.records import OutcomeRow


def describe_outcomes(rows: Sequence[OutcomeRow]) -> Iterator[str]:
    """One sentence for each arm with runs that did not learn, and one for all runs that failed."""
    yield from describe_collapsed_runs(rows)
    yield from describe_failed_runs(rows)


def describe_collapsed_runs(rows: Sequence[OutcomeRow]) -> Iterator[str]:
    """One sentence for each arm with runs that did not learn."""
    for arm in dict.fromkeys(row.arm for row in rows):
        collapsed = [row for row in rows if row.arm == arm and row.n_collapsed]
        if collapsed:
            yield _describe_collapsed(collapsed)


def describe_failed_runs(rows: Sequence[OutcomeRow]) -> Iterator[str]:
    """One for all runs that failed."""
    failed = [row for row in rows if row.n_failed]
    if failed:
        yield _describe_failed(failed)


def _describe_collapsed(rows: Sequence[OutcomeRow]) -> str:
    """Of one arm, size by size."""
    counts = ", ".join(
        f"{row.n_collapsed} of {row.n_runs - row.n_failed} runs{_name_size(row)} ({_format_shares(row)})"
        for row in rows
    )
    majority = f"{100 * (rows[0].majority or 0):.1f}%"
    return f"{rows[0].arm} did not learn (at or below the majority class, {majority}) in {counts}."


def _format_shares(row: OutcomeRow) -> str:
    low, high = row.collapsed_low or 0.0, row.collapsed_high or 0.0
    return f"95%: {100 * low:.0f} to {100 * high:.0f}% of such runs"


def _describe_failed(rows: Sequence[OutcomeRow]) -> str:
    counts = ", ".join(f"{row.n_failed} of {row.n_runs} of {row.arm}{_name_size(row)}" for row in rows)
    is_one = sum(row.n_failed for row in rows) == 1
    subject = "1 run failed and is" if is_one else "Some runs failed and are"
    return (
        f"{subject} in no figure ({counts}): means, intervals and verdicts are of the runs that ended, so "
        "they hold for such runs only."
    )


def _name_size(row: OutcomeRow) -> str:
    return "" if row.size == "all" else f" with {row.size:,} examples"
