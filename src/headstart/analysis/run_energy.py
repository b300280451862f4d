"""What runs used by the machine's counters; nothing where one of them has no figure: a part is no answer."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.records import RunRecord


def list_own_joules(records: Sequence[RunRecord]) -> list[float]:
    """Each run's own joules; none where any run lacks them."""
    known = [joules for record in records if (joules := record.own_joules) is not None]
    return known if len(known) == len(records) else []
