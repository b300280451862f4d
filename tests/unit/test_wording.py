"""Counts have their plural, and long lists say how much of them is not shown."""

from __future__ import annotations

from headstart.wording import format_count, format_names, join_ends


def test_counts_have_a_plural() -> None:
    assert [format_count(n, "seed") for n in (0, 1, 2000)] == ["0 seeds", "1 seed", "2,000 seeds"]
    assert format_count(2, "worker process", "worker processes") == "2 worker processes"
    assert format_count(1, "worker process", "worker processes") == "1 worker process"


def test_long_lists_say_how_many_more_there_are() -> None:
    assert format_names(["a"]) == "a"
    assert format_names(["a", "b", "c"]) == "a, b, c"
    assert format_names(["a", "b", "c", "d"], 2) == "a, b and 2 more"


def test_a_range_with_ends_that_are_written_alike_is_one_of_them() -> None:
    assert (join_ends("1.2", "1.6"), join_ends("1.2", "1.2")) == ("1.2 to 1.6", "1.2")
