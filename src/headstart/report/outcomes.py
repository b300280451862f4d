"""The sentence about runs that failed, said beside the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.records import OutcomeRow


def describe_failed_runs(rows: Sequence[OutcomeRow]) -> Iterator[str]:
    """One sentence for all runs that failed."""
    failed = [row for row in rows if row.n_failed]
    if failed:
        yield _describe_failed(failed)


def _describe_failed(rows: Sequence[OutcomeRow]) -> str:
    counts = ", ".join(f"{row.n_failed} of {row.n_runs} of {row.arm}{_name_size(row)}" for row in rows)
    is_one = sum(row.n_failed for row in rows) == 1
    subject = "1 run failed and is" if is_one else "Some runs failed and are"
    return f"{subject} excluded ({counts}): means, intervals and verdicts cover finished runs only."


def _name_size(row: OutcomeRow) -> str:
    return "" if row.size == "all" else f" with {row.size:,} training examples"
