"""Words of messages that go by how many things there are: a count, and names cut after the first few."""

from __future__ import annotations

from collections.abc import Sequence


def format_count(count: int, thing: str, plural: str | None = None) -> str:
    """`1 seed`, `2,000 seeds`."""
    return f"{count:,} {thing if count == 1 else plural or f'{thing}s'}"


def format_names(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 2 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
