"""Packs are tried among the first that wait, the wider the more others work; leases are watched."""

from __future__ import annotations

from collections import Counter
from random import Random

from headstart.store import taking
from headstart.store.taking import choose_next, choose_wait, choose_watched

PACKS = list(range(1000))


def draw_many(taken: int, failures: int = 0) -> Counter[int]:
    chosen = (choose_next(PACKS, taken, Random(seed), failures=failures) for seed in range(2000))
    return Counter(pack for pack in chosen if pack is not None)


def test_a_lone_worker_begins_with_the_longest() -> None:
    assert set(draw_many(0)) == set(range(taking.FIRST_ONES))


def test_many_workers_spread_and_none_beyond_as_many_as_there_are() -> None:
    drawn = draw_many(100)
    assert set(drawn) == set(range(100))
    assert max(drawn.values()) < 60, "each of a hundred is drawn twenty times of two thousand"


def test_each_failed_try_doubles_the_number() -> None:
    assert max(draw_many(10, failures=3)) == 79


def test_the_number_is_bounded_by_what_waits_however_many_tries_fail() -> None:
    assert choose_next([7, 9], 500, Random(0), failures=10**6) in (7, 9)
    assert choose_next([], 500, Random(0)) is None


def test_watched_leases_stay_watched_while_they_are_held() -> None:
    watched = choose_watched(PACKS, [], Random(0))
    assert len(set(watched)) == taking.WATCHED
    left = [pack for pack in PACKS if pack != watched[0]]
    again = choose_watched(left, watched, Random(1))
    assert again[:-1] == watched[1:]
    assert again[-1] in left
    assert again[-1] not in watched
    assert choose_watched([], watched, Random(2)) == []


def test_waits_grow_to_a_longest_and_differ_between_workers() -> None:
    waits = [choose_wait(looks, Random(0)) for looks in range(12)]
    assert waits[0] <= taking.FIRST_WAIT
    assert all(wait <= taking.LONGEST_WAIT for wait in waits)
    assert waits[-1] >= taking.LONGEST_WAIT / 2
    assert choose_wait(3, Random(1)) != choose_wait(3, Random(2))
