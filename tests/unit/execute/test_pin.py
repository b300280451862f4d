"""Workers keep to shares of the processors that do not overlap, and their parent keeps to all."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from headstart.execute import pin as module
from headstart.execute.pin import is_pinned, pin, share, usable

needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="not on this system")


@pytest.mark.parametrize(("processors", "workers"), [(2, 2), (8, 2), (8, 3), (5, 5)])
def test_shares_are_equal_and_apart(monkeypatch: pytest.MonkeyPatch, processors: int, workers: int) -> None:
    monkeypatch.setattr(module, "usable", lambda: tuple(range(10, 10 + processors)))
    shares = [share(place, workers) for place in range(workers)]
    assert {len(one) for one in shares} == {processors // workers}
    assert len({number for one in shares for number in one}) == workers * (processors // workers)


@pytest.mark.parametrize("workers", [1, 3])
def test_one_worker_or_too_many_have_all(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(module, "usable", lambda: (4, 7))
    assert share(0, workers) == (4, 7)


@needs_affinity
def test_a_pinned_process_says_so_and_comes_back() -> None:
    """In a process of its own, threads that torch has started before included."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        found = pool.apply(_pinned_and_back, (usable()[0],))
    assert found == ([usable()[0]], True, True)
    assert not is_pinned()


def _pinned_and_back(processor: int) -> tuple[list[int], bool, bool]:
    import torch

    torch.ones(300, 300) @ torch.ones(300, 300)
    every = usable()
    pin([processor])
    seen = [sorted(os.sched_getaffinity(task)) for task in _threads()]
    single = all(one == [processor] for one in seen)
    was = is_pinned() or len(every) == 1
    pin(every)
    return list(seen[0]), single and was, usable() == every


def _threads() -> list[int]:
    return [int(task.name) for task in Path("/proc/self/task").iterdir()]


def test_systems_without_affinity_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    assert (usable(), share(0, 2)) == ((), ())
    pin([0])


@needs_affinity
def test_a_system_that_forbids_it_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbid)
    pin(usable()[:1])
    assert not is_pinned()
