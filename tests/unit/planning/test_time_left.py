"""The time left agrees with what was expected, follows what is measured, and does not jump."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from headstart.events import PacksPlanned, PackWork
from headstart.planning.time_left import TimeLeft, find_makespan


class Clock:
    """A clock that goes as it is told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def plan(
    runs: int, amount: float, *, workers: int = 1, timed: bool = True, start: float = 0.0
) -> PacksPlanned:
    """So many packs of one run and of one amount."""
    work = tuple(PackWork((str(run),), amount, 0.0 if timed else None) for run in range(runs))
    return PacksPlanned(work, (), workers, is_timed=timed)


def train(left: TimeLeft, clock: Clock, key: str, *, steps: int, seconds: float) -> Iterator[float | None]:
    """Train a run whose every step takes so long; gives the time left after each."""
    left.start(key)
    for step in range(1, steps + 1):
        clock.now += seconds
        left.advance(key, step / steps)
        yield left.estimate()
    left.end(key)


def test_nothing_is_said_before_steps_were_measured() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    assert left.estimate() is None
    left.plan(plan(4, 100.0))
    assert left.estimate() is None
    left.start("0")
    clock.now += 60.0  # to load a model
    assert left.estimate() is None
    left.advance("0", 0.01)
    assert left.estimate() is None, "of one step nothing was seen but its end"


def test_without_timed_steps_it_waits_for_a_tenth_of_a_run() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.plan(plan(2, 1e12, timed=False))
    told = list(train(left, clock, "0", steps=100, seconds=1.0))
    assert told[:10] == [None] * 10
    assert told[10] == pytest.approx(89 + 1 + 100 - 1 + 1, rel=0.05)


def test_the_first_time_is_the_one_expected_where_steps_take_what_was_timed() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.plan(plan(4, 100.0))
    told = [seconds for seconds in train(left, clock, "0", steps=100, seconds=1.0) if seconds is not None]
    assert told[0] == pytest.approx(400 - 3, abs=3)  # of a pack that waits a second until its first step
    assert told[-1] == pytest.approx(300, abs=3)


def test_it_comes_to_what_is_measured_without_a_jump() -> None:
    """Steps take thrice what was timed: each second estimate is nearer to the truth, and none leaps."""
    clock = Clock()
    left = TimeLeft(clock)
    left.plan(plan(4, 100.0))
    told: list[float] = []
    for key in "0123":
        told += [s for s in train(left, clock, key, steps=100, seconds=3.0) if s is not None]
    ends = clock.now
    assert ends == 1000.0 + 1200.0
    jumps = [abs(after - before) / before for before, after in pairwise(told) if before > 60]
    assert max(jumps) < 0.06
    # After one run of four the pace is (0.1 x 400 + 297) / (0.1 x 400 + 99).
    assert told[97] == pytest.approx(300 * (40 + 3 * 99) / (40 + 99), rel=0.02)


def test_loading_and_testing_models_count_as_measured() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.plan(plan(3, 1e12, timed=False))
    left.start("0")
    clock.now += 20.0
    for step in range(1, 11):
        left.advance("0", step / 10)
        clock.now += 10.0
    clock.now += 20.0  # the last step ended 30 s before
    left.end("0")
    assert left.estimate() == pytest.approx(2 * (20 + 100 + 30))


def test_workers_share_what_waits() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.plan(plan(4, 100.0, workers=2))
    left.start("0")
    left.start("1")
    for step in range(1, 51):
        clock.now += 1.0
        left.advance("0", step / 100)
        left.advance("1", step / 100)
    assert left.estimate() == pytest.approx(50 + 100, abs=1)


def test_a_run_that_resumes_counts_from_where_it_was() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.plan(plan(1, 100.0))
    left.start("0")
    for step in range(81, 91):
        clock.now += 1.0
        left.advance("0", step / 100)
    assert left.estimate() == pytest.approx(10)


def test_a_pack_that_is_cut_in_halves_is_one_still() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.plan(PacksPlanned((PackWork(("a", "b"), 100.0, 0.0),), (), 1, is_timed=True))
    for key in ("a", "b", "a"):  # both began, and one of them again by itself
        left.start(key)
    for step in range(1, 101):
        clock.now += 0.5
        left.advance("a", step / 100)
    left.end("a")
    left.start("b")
    clock.now += 0.5
    left.advance("b", 0.01)
    assert left.estimate() == pytest.approx(49.5, rel=0.03)
    left.end("b")
    assert left.estimate() is None


def test_the_pace_holds_on_in_the_runs_that_tuning_asked_for() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    first = PacksPlanned((PackWork(("0",), 100.0, 0.0),), (PackWork(("x",), 100.0, 0.0),), 1, is_timed=True)
    left.plan(first)
    told = list(train(left, clock, "0", steps=100, seconds=2.0))
    assert told[-1] == pytest.approx(100 * (20 + 198) / (20 + 99), abs=2)
    left.plan(PacksPlanned((PackWork(("y",), 100.0, 0.0),), (), 1, is_timed=True))
    assert left.estimate() == pytest.approx(100 * (10 + 198) / (10 + 99), abs=2)


def test_bags_of_words_alone_have_no_time_left() -> None:
    left = TimeLeft(Clock())
    left.plan(plan(2, 0.0, timed=False))
    left.start("0")
    left.end("0")
    assert left.estimate() is None


@pytest.mark.parametrize(
    ("going", "waiting", "workers", "expected"),
    [
        ([], [], 2, 0.0),
        ([5.0], [3.0, 1.0], 2, 5.0),
        ([5.0, 4.0], [3.0, 1.0], 2, 7.0),
        ([], [2.0] * 3, 1, 6.0),
        ([5.0], [3.0, 1.0], 10**15, 5.0),  # more than memory holds a number for
    ],
)
def test_who_is_idle_takes_the_next(
    going: list[float], waiting: list[float], workers: int, expected: float
) -> None:
    assert find_makespan(going, waiting, workers) == expected


def test_between_events_it_counts_down_and_never_up_or_below_zero() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    assert left.count_down() is None
    left.plan(plan(2, 100.0))
    list(train(left, clock, "0", steps=10, seconds=10.0))
    left.renew()
    told = []
    for _ in range(300):
        seconds = left.count_down()
        assert seconds is not None
        told.append(seconds)
        clock.now += 1.0
    assert told[0] == left.estimate()
    assert all(before >= after for before, after in pairwise(told))
    assert told[-1] == 0.0
