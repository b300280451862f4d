"""Workers keep to shares of the processors that do not overlap, and their parent keeps to all."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from headstart import processors as module
from headstart.processors import (
    count_processors,
    is_pinned,
    list_processors,
    pin_process,
    share_processors,
)

needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="not on this system")


@pytest.mark.parametrize(("processors", "workers"), [(2, 2), (8, 2), (8, 3), (5, 5)])
def test_shares_are_equal_and_apart(monkeypatch: pytest.MonkeyPatch, processors: int, workers: int) -> None:
    monkeypatch.setattr(module, "list_processors", lambda: tuple(range(10, 10 + processors)))
    cores = [share_processors(place, workers) for place in range(workers)]
    assert {len(part) for part in cores} == {processors // workers}
    assert len({number for part in cores for number in part}) == workers * (processors // workers)


@pytest.mark.parametrize("workers", [1, 3])
def test_one_worker_or_too_many_have_all(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(module, "list_processors", lambda: (4, 7))
    assert share_processors(0, workers) == (4, 7)


@needs_affinity
def test_processors_are_counted_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 1, 8})
    assert (list_processors(), count_processors()) == ((1, 3, 8), 3)


@needs_affinity
def test_a_pinned_process_says_so_and_comes_back() -> None:
    """In a process of its own, threads that torch has started before included."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        answer = pool.apply(_pinned_and_back, (list_processors()[0],))
    assert answer == ([list_processors()[0]], True, True)
    assert not is_pinned()


def _pinned_and_back(processor: int) -> tuple[list[int], bool, bool]:
    import torch

    torch.ones(300, 300) @ torch.ones(300, 300)
    every = list_processors()
    pin_process([processor])
    seen = [sorted(os.sched_getaffinity(task)) for task in _threads()]
    single = all(affinity == [processor] for affinity in seen)
    was = is_pinned() or len(every) == 1
    pin_process(every)
    return list(seen[0]), single and was, list_processors() == every


def _threads() -> list[int]:
    return [int(task.name) for task in Path("/proc/self/task").iterdir()]


def test_systems_without_affinity_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    assert (list_processors(), share_processors(0, 2)) == ((), ())
    pin_process([0])
    assert count_processors() == (os.cpu_count() or 1)


@needs_affinity
def test_a_system_that_forbids_it_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbid)
    pin_process(list_processors()[:1])
    assert not is_pinned()
