"""The crew follows the probe: timings decide, memory limits, and what needs no probe gets none."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

import headstart.execute.local as local
from headstart.config.expand import Pack
from headstart.execute.probe import Probe, Timing
from tiny import tiny_run

GIB = 2**30


class _Pool:
    """Answers probes with given timings: seconds a step of workers together, and of one alone."""

    def __init__(self, together: float, alone: float, memory: int = GIB) -> None:
        self.seconds = {1: together, 2: alone}
        self.memory, self.asked = memory, 0
        self.prepared = SimpleNamespace(corpus=SimpleNamespace(parts={"train": range(600)}))

    def resize(self, count: int) -> None:
        """Processes cost nothing here."""

    def ask(self, probes: Sequence[Probe]) -> list[Timing]:
        """As many answers as probes; threads tell which configuration is asked about."""
        self.asked += 1
        return [Timing(self.seconds[probe.threads], self.memory) for probe in probes]


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "cores", lambda: 2)
    memory = SimpleNamespace(available=8 * GIB)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)


def _crew(
    pool: _Pool, runs: int = 4, asked: Any = "auto", device: str = "cpu", **training: Any
) -> local.Crew:
    packs = [Pack((tiny_run(seed, **training),)) for seed in range(runs)]
    return local._choose_crew(packs, pool, asked, device)  # type: ignore[arg-type]


def test_workers_side_by_side_win_where_their_steps_add_up_to_more() -> None:
    crew = _crew(_Pool(together=0.19, alone=0.10))
    assert (crew.workers, crew.threads) == (2, 1)
    assert crew.reason == "probe: 2 workers 95 ms a step, one process 100 ms"


def test_one_process_wins_where_threads_pay_more() -> None:
    crew = _crew(_Pool(together=0.21, alone=0.10))
    assert (crew.workers, crew.threads) == (1, 2)


def test_workers_that_memory_does_not_hold_are_not_chosen() -> None:
    crew = _crew(_Pool(together=0.1, alone=0.1, memory=20 * GIB))
    assert (crew.workers, crew.threads) == (1, 2)
    assert "memory holds 1 of 2 workers" in crew.reason


def test_few_steps_are_not_probed() -> None:
    pool = _Pool(together=9.0, alone=0.1)
    crew = _crew(pool, steps=20)
    assert (crew.workers, pool.asked) == (2, 0)


def test_one_run_takes_all_threads_without_a_probe() -> None:
    pool = _Pool(together=0.1, alone=0.1)
    crew = _crew(pool, runs=1)
    assert (crew.workers, crew.threads, pool.asked) == (1, 2, 0)


@pytest.mark.parametrize(("asked", "workers", "threads"), [(1, 1, 2), (2, 2, 1), (9, 4, 1)])
def test_what_the_study_asks_for_is_done(asked: int, workers: int, threads: int) -> None:
    crew = _crew(_Pool(0.1, 0.1), asked=asked)
    assert (crew.workers, crew.threads) == (workers, threads)


def test_a_gpu_is_used_by_one_process() -> None:
    assert _crew(_Pool(0.1, 0.1), device="cuda").workers == 1
