"""Schedules lie between the bound and Graham's; phases wait; more machines never cost time."""

from __future__ import annotations

import json
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headstart.planning.many_machines import (
    ManyMachines,
    Work,
    find_bound,
    find_enough,
    list_rows,
    measure_row,
    measure_saving,
    schedule,
)
from headstart.records import Range

SPANS = st.lists(st.integers(1, 30), min_size=1, max_size=6)
NONE = Range(low=0, high=0)
#: Nothing here is judged by the clock: the machine may be busy.
UNTIMED = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def make_work(*phases: list[int] | list[float], serial: float = 0.0) -> Work:
    exact = tuple(tuple(Range(low=span, high=span) for span in phase) for phase in phases)
    return Work(exact, Range(low=serial, high=serial))


def find_best(spans: list[int], workers: int) -> int:
    """The shortest of all schedules, by trying each."""
    return min(
        max(
            sum(span for span, place in zip(spans, places, strict=True) if place == k) for k in range(workers)
        )
        for places in product(range(workers), repeat=len(spans))
    )


@UNTIMED
@given(SPANS, st.integers(1, 4))
def test_a_schedule_is_within_grahams_bound_of_the_best(spans: list[int], workers: int) -> None:
    """R. L. Graham 1969: longest first takes at most 4/3 - 1/(3 m) of the shortest schedule."""
    work, best = make_work(spans), find_best(spans, workers)
    taken = schedule(work, workers).high
    assert find_bound(work, workers).high <= best <= taken
    assert taken <= best * (4 / 3 - 1 / (3 * workers)) + 1e-9


def test_grahams_own_worst_case_is_reached() -> None:
    """Two machines: 3, 3, 2, 2, 2 takes 7, and could take 6."""
    work = make_work([2, 3, 2, 3, 2])
    assert schedule(work, 2).high == 7
    assert find_best([3, 3, 2, 2, 2], 2) == 6


@UNTIMED
@given(SPANS, SPANS, st.integers(1, 8))
def test_one_more_worker_never_costs_time(first: list[int], second: list[int], workers: int) -> None:
    work = make_work(first, second)
    assert schedule(work, workers + 1).high <= schedule(work, workers).high


@UNTIMED
@given(SPANS, SPANS, st.integers(1, 3))
def test_enough_is_the_first_number_from_which_nothing_is_saved(
    first: list[int], second: list[int], workers: int
) -> None:
    work = make_work(first, second)
    enough, least = find_enough(work, workers), max(first) + max(second)
    assert schedule(work, enough * workers).high == least
    assert enough == 1 or schedule(work, (enough - 1) * workers).high > least


def test_the_second_phase_waits_for_the_first() -> None:
    work = make_work([4, 1], [3, 3], serial=10)
    assert schedule(work, 2).high == 10 + 4 + 3
    assert find_bound(work, 2).high == 10 + 4 + 3
    assert schedule(work, 1).high == 10 + 5 + 6


def test_ends_are_scheduled_each_for_itself() -> None:
    work = Work(((Range(low=1, high=9), Range(low=5, high=6)),), NONE)
    assert schedule(work, 1) == Range(low=6, high=15)
    assert schedule(work, 2) == Range(low=5, high=9)


def test_a_row_counts_the_hours_of_all_machines_and_the_share_that_trains() -> None:
    row = measure_row(make_work([3600, 1800]), 2, 1)
    assert (row.seconds.high, row.machine_hours.high, row.busy) == (3600, 2, 0.75)


def test_rows_double_and_end_at_what_is_asked_for() -> None:
    assert [row.machines for row in list_rows(make_work([1.0]), 6, 1)] == [1, 2, 4, 6]
    assert [row.machines for row in list_rows(make_work([1.0]), 1, 1)] == [1]


def test_a_further_machine_saves_what_the_schedules_differ_by() -> None:
    assert measure_saving(make_work([4, 4, 4]), 1, 1) == Range(low=4, high=4)
    assert measure_saving(make_work([4, 4, 4]), 3, 1) == NONE


def test_nothing_left_takes_no_time() -> None:
    assert schedule(Work((), NONE), 4) == NONE
    assert find_enough(Work((), NONE), 4) == 1


@pytest.mark.parametrize("unknown", ["", "nobody knows"])
def test_json_takes_all_of_it(unknown: str) -> None:
    rows = () if unknown else tuple(list_rows(make_work([1, 2]), 4, 1))
    many = ManyMachines(4, 1, "cpu", (2,), unknown=unknown, bound=None if unknown else NONE, rows=rows)
    values = json.loads(json.dumps(many.to_dict()))
    assert values["unknown"] == unknown
    assert [row["machines"] for row in values["rows"]] == ([] if unknown else [1, 2, 4])
    assert (many.asked is None) == bool(unknown)
