"""The placement follows timed steps: they decide, memory limits, and what needs no timing gets none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from fake_gpus import make_gpus
from headstart.config.runs import Run
from headstart.config.study import Training
from headstart.planning.placement import Placement
from headstart.planning.placement_choice import choose_placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.records import Range
from headstart.training.grouping import Group
from tiny import make_tiny_run

GIB = 2**30
TEXTS = 600
WORDS = Run("words", "all", 0, "bag-of-words", "", False, Training())
DEAD = None


class _Timer:
    """Times steps by a table: seconds a step by (runs in the pack, threads); DEAD ends the processes."""

    def __init__(
        self,
        seconds: Mapping[tuple[int, int], float | None],
        memory: Mapping[int, float] | None = None,
        on_gpu: Mapping[int, float] | None = None,
    ) -> None:
        self.seconds, self.memory, self.on_gpu = seconds, memory or {}, on_gpu or {}
        self.asked: list[tuple[int, int, int]] = []

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        """As many answers as benchmarks, or none."""
        first = benchmarks[0]
        self.asked.append((len(benchmarks), len(first.runs), first.threads))
        seconds = self.seconds[len(first.runs), first.threads]
        if seconds is DEAD:
            return []
        memory = int(self.memory.get(len(first.runs), 1) * GIB)
        on_gpu = self.on_gpu.get(len(first.runs))
        peak = None if on_gpu is None else int(on_gpu * GIB)
        times = StepTimes(seconds, memory, peak_device_memory_bytes=peak)
        return [times] * len(benchmarks)

    def stop(self) -> None:
        """Nobody may be in need of it here: what was timed together is compared."""
        raise AssertionError("stopped between two benchmarks")

    @property
    def packs(self) -> list[int]:
        """The sizes asked about after the two benchmarks of workers, which tell of packs of one."""
        return [runs for _, runs, _ in self.asked[2:]]


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores, and 8 GiB free."""
    monkeypatch.setattr("headstart.planning.host.count_processors", lambda: 2)
    monkeypatch.setattr("headstart.processors.count_processors", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=8 * GIB))


def _place(
    timer: _Timer, runs: int = 4, reason: str | None = None, more: Sequence[Group] = (), **settings: Any
) -> Placement:
    """The placement for so many runs of one group, and `more`; without packs unless they are asked for."""
    choice: dict[str, Any] = {"workers": "auto", "pack": 1, "gpus": (), "estimate": _know_nothing}
    choice |= {key: settings.pop(key) for key in choice.keys() & settings.keys()}
    group = Group(tuple(make_tiny_run(seed, **settings) for seed in range(runs)), reason)
    groups = [group, *more]
    texts = {run.key: TEXTS for one in groups for run in one.runs}
    return choose_placement(groups, texts, timer, **choice)


def _know_nothing(group: Group, runs: int) -> Range | None:
    return None


# Processes


def _two_or_one(together: float | None, alone: float | None, memory: float = 1) -> _Timer:
    """Timings of two workers with a thread each, and of one with both."""
    return _Timer({(1, 1): together, (1, 2): alone}, {1: memory})


def test_workers_side_by_side_win_where_their_steps_add_up_to_more() -> None:
    placement = _place(_two_or_one(together=0.19, alone=0.10))
    assert (placement.workers, placement.threads, placement.pack) == (2, 1, 1)
    assert placement.reason == "probe: 2 workers 95 ms per step, one process 100 ms"


def test_one_process_wins_where_threads_pay_more() -> None:
    placement = _place(_two_or_one(together=0.21, alone=0.10))
    assert (placement.workers, placement.threads) == (1, 2)
    assert placement.reason == "probe: 2 workers 105 ms per step, one process 100 ms"


def test_both_cases_are_probed_with_all_their_threads() -> None:
    timer = _two_or_one(together=0.19, alone=0.10)
    _place(timer)
    assert timer.asked == [(2, 1, 1), (1, 1, 2)]


def test_workers_that_memory_does_not_hold_are_not_chosen() -> None:
    placement = _place(_two_or_one(together=0.1, alone=0.1, memory=20))
    assert (placement.workers, placement.threads) == (1, 2)
    assert "memory fits 1 of 2 workers" in placement.reason


@pytest.mark.parametrize(("memory", "workers"), [(10, 2), (12, 2), (20, 1)])
def test_what_the_probed_workers_hold_is_theirs_again(memory: float, workers: int) -> None:
    """With 8 GiB free beside two of 12, four fifths of 32 hold two; counting one of them, they would not."""
    assert _place(_two_or_one(together=0.1, alone=0.1, memory=memory)).workers == workers


def test_memory_is_counted_while_the_probed_workers_still_hold_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When one of two has ended, its 20 GiB is free: to count them again as theirs would hold two."""
    timer = _two_or_one(together=0.1, alone=0.1, memory=20)

    def measure() -> SimpleNamespace:
        return SimpleNamespace(available=(8 if len(timer.asked) < 2 else 28) * GIB)

    monkeypatch.setattr("psutil.virtual_memory", measure)
    assert _place(timer).workers == 1


@pytest.mark.parametrize(
    ("together", "alone"),
    [
        (DEAD, 0.1),
        (0.1, DEAD),
    ],
)
def test_a_probe_that_died_leaves_one_process(together: float | None, alone: float | None) -> None:
    placement = _place(_two_or_one(together, alone))
    assert (placement.workers, placement.threads) == (1, 2)
    assert placement.reason == "the probe failed; one process with all threads"


def test_few_steps_are_not_probed() -> None:
    timer = _two_or_one(together=9.0, alone=0.1)
    placement = _place(timer, steps=20, pack="auto")
    assert (placement.workers, placement.threads, placement.pack, timer.asked) == (2, 1, 1, [])
    assert placement.reason == "too few steps for a probe"


def test_steps_are_counted_over_the_whole_study() -> None:
    """Ten runs of 20 steps are worth a probe where one is not."""
    timer = _two_or_one(together=9.0, alone=0.1)
    assert _place(timer, runs=10, steps=20).workers == 1
    assert timer.asked


def test_one_run_takes_all_threads_without_a_probe() -> None:
    timer = _two_or_one(together=0.1, alone=0.1)
    placement = _place(timer, runs=1, pack="auto")
    assert (placement.workers, placement.threads, placement.pack, timer.asked) == (1, 2, 1, [])
    assert placement.reason == "one run at a time"


@pytest.mark.parametrize(("wanted", "workers", "threads"), [(1, 1, 2), (2, 2, 1), (9, 4, 1)])
def test_workers_that_the_study_asks_for_are_obeyed(wanted: int, workers: int, threads: int) -> None:
    timer = _two_or_one(0.1, 0.1)
    placement = _place(timer, workers=wanted)
    assert (placement.workers, placement.threads) == (workers, threads)
    assert (placement.reason, timer.asked) == ("asked for", [])


def test_probes_take_a_core_each_and_are_not_probed() -> None:
    runs = tuple(replace(make_tiny_run(seed), method="probe") for seed in range(5))
    timer = _Timer({})
    groups = [Group(runs), Group((WORDS,))]
    placement = choose_placement(groups, {}, timer, workers="auto", pack="auto")
    assert (placement.workers, placement.threads, placement.pack) == (2, 1, 1)
    assert not timer.asked
    placement = choose_placement([Group(runs[:1])], {}, timer, workers=4, pack="auto")
    assert (placement.workers, placement.threads) == (1, 2)


def test_a_bag_of_words_needs_no_probe() -> None:
    groups = [Group((WORDS,), "it is fitted")]
    placement = choose_placement(groups, {}, _Timer({}), workers=4, pack=4)
    assert (placement.workers, placement.threads, placement.pack) == (1, 2, 1)
    assert placement.reason == "a bag of words needs only one"


# Packs


def _packs(*seconds: float | None, memory: dict[int, float] | None = None) -> _Timer:
    """One process of two threads wins; steps of packs of 1, 2, 4, 8 in it take so long."""
    table = {(2**i, 2): s for i, s in enumerate(seconds)}
    return _Timer({**table, (1, 1): 9.0}, memory)


def test_a_pack_is_doubled_while_a_step_of_a_run_gets_cheaper() -> None:
    timer = _packs(0.100, 0.160, 0.240, 0.400)
    placement = _place(timer, runs=8, pack="auto")
    assert (placement.workers, placement.pack, timer.packs) == (1, 8, [2, 4, 8])
    assert placement.reason == (
        "probe: 2 workers 4500 ms per step, one process 100 ms; "
        "a step of a run: 1 run 100 ms, 2 together 80 ms, 4 together 60 ms, 8 together 50 ms"
    )


def test_it_stops_where_a_larger_one_is_slower() -> None:
    timer = _packs(0.100, 0.160, 0.360, 0.1)
    placement = _place(timer, runs=8, pack="auto")
    assert (placement.pack, timer.packs) == (2, [2, 4])
    assert placement.reason.endswith("2 together 80 ms, 4 together 90 ms")


@pytest.mark.parametrize(("seconds", "pack"), [(0.1904, 2), (0.1906, 1)])
def test_a_larger_pack_must_be_five_per_cent_faster(seconds: float, pack: int) -> None:
    assert _place(_packs(0.100, seconds), runs=2, pack="auto").pack == pack


def test_it_stops_where_memory_does_not_hold_it() -> None:
    timer = _Timer({(1, 1): 0.01, (1, 2): 0.1, (2, 1): 0.011, (4, 1): 0.001}, {1: 1, 2: 2, 4: 20})
    placement = _place(timer, runs=16, pack="auto")
    assert (placement.workers, placement.pack) == (2, 2)
    assert placement.reason.endswith("4 together out of memory")


def test_it_stops_where_the_step_itself_ran_out_of_memory() -> None:
    placement = _place(_packs(0.1, 0.11, float("inf")), runs=8, pack="auto")
    assert placement.pack == 2
    assert placement.reason.endswith("2 together 55 ms, 4 together out of memory")


def test_no_larger_pack_is_tried_where_one_killed_its_process() -> None:
    timer = _packs(0.1, 0.11, DEAD)
    placement = _place(timer, runs=8, pack="auto")
    assert (placement.workers, placement.pack, timer.packs) == (1, 2, [2, 4])


def test_models_that_cannot_be_stacked_after_all_train_alone() -> None:
    """Their probe says so with infinite seconds."""
    placement = _place(_packs(0.1, float("inf")), runs=8, pack="auto")
    assert placement.pack == 1


@pytest.mark.parametrize(("runs", "sizes"), [(2, [2]), (3, [2, 3]), (6, [2, 4, 6])])
def test_no_pack_is_larger_than_its_group(runs: int, sizes: list[int]) -> None:
    table = {(n, 2): 0.1 for n in range(1, 7)}
    timer = _Timer({**table, (1, 1): 9.0})
    assert _place(timer, runs=runs, pack="auto").pack == sizes[-1]
    assert timer.packs == sizes


def test_a_group_is_shared_out_to_all_workers() -> None:
    """Six runs for two workers: packs of more than three would leave one of them idle."""
    timer = _Timer({(n, 1): 0.1 for n in (1, 2, 3)} | {(1, 2): 0.2})
    placement = _place(timer, runs=6, pack="auto")
    assert (placement.workers, placement.pack) == (2, 3)
    assert timer.asked == [(2, 1, 1), (1, 1, 2), (2, 2, 1), (2, 3, 1)]


def test_workers_that_have_a_run_each_form_no_packs() -> None:
    timer = _two_or_one(together=0.1, alone=0.1)
    assert _place(timer, runs=2, pack="auto").pack == 1
    assert timer.packs == []


def test_runs_that_must_be_alone_are_not_probed_in_packs() -> None:
    timer = _two_or_one(together=9.0, alone=0.1)
    assert _place(timer, runs=8, reason="its weight is elsewhere", pack="auto").pack == 1
    assert timer.packs == []


def test_the_largest_group_is_probed() -> None:
    others = Group(tuple(make_tiny_run(seed) for seed in range(8)))
    timer = _packs(0.1, 0.11, 0.12, 0.13)
    assert _place(timer, runs=2, more=[others, Group((WORDS,) * 20, "fitted")], pack="auto").pack == 8


def test_a_group_that_can_be_packed_is_probed_beside_a_larger_one_that_cannot() -> None:
    packable = Group(tuple(make_tiny_run(seed) for seed in range(4)))
    timer = _packs(0.1, 0.11, 0.12)
    assert _place(timer, runs=6, reason="its weight is elsewhere", more=[packable], pack="auto").pack == 4


@pytest.mark.parametrize("pack", [1, 3, 64])
def test_packs_that_the_study_asks_for_are_obeyed(pack: int) -> None:
    timer = _two_or_one(together=0.19, alone=0.1)
    placement = _place(timer, runs=8, pack=pack)
    assert (placement.workers, placement.pack, timer.packs) == (2, pack, [])


def test_both_can_be_asked_for_without_any_probe() -> None:
    timer = _Timer({})
    placement = _place(timer, runs=8, workers=2, pack=4)
    assert (placement.workers, placement.threads, placement.pack, timer.asked) == (2, 1, 4, [])


def test_workers_asked_for_are_those_that_time_the_packs() -> None:
    timer = _Timer({(1, 1): 0.1, (2, 1): 0.3, (4, 1): 0.1})
    placement = _place(timer, runs=8, workers=2, pack="auto")
    assert (placement.workers, placement.pack) == (2, 1)
    assert timer.asked == [(2, 1, 1), (2, 2, 1)]


# GPUs


def _timed_on_gpu(*seconds: float, memory: dict[int, float] | None = None) -> _Timer:
    """Steps of packs of 1, 2, 4, 8 in one process with as many threads as torch has."""
    return _Timer(
        {(2**i, 0): s for i, s in enumerate(seconds)}, on_gpu=memory or dict.fromkeys((1, 2, 4, 8), 1)
    )


def _need(gib: float) -> Callable[[Group, int], Range | None]:
    """So many GiB at the most for each run."""

    def estimate(group: Group, runs: int) -> Range | None:
        return Range(low=0.5 * gib * runs * GIB, high=gib * runs * GIB)

    return estimate


def test_a_long_study_times_packs_in_its_one_process() -> None:
    timer = _timed_on_gpu(0.1, 0.101, 0.102)
    placement = _place(timer, gpus=make_gpus(), pack="auto", steps=6000)
    assert (placement.workers, placement.threads, placement.pack) == (1, 0, 4)
    tried = "1 run 100 ms, 2 together 50 ms, 4 together 26 ms"
    assert placement.reason == f"one process on Fake 80; a step of a run: {tried}"


def test_packs_that_leave_a_gpu_no_room_are_not_chosen() -> None:
    """Of 80 GiB three quarters may be full after some steps, CUDA's own part included."""
    timer = _timed_on_gpu(0.1, 0.1, 0.1, 0.1, memory={1: 10, 2: 20, 4: 59, 8: 60})
    placement = _place(timer, runs=8, gpus=make_gpus(), pack="auto", steps=6000)
    assert (placement.pack, placement.reason[-24:]) == (4, "8 together out of memory")


@pytest.mark.parametrize(("gib", "pack"), [(1.0, 32), (4.0, 17), (40.0, 1)])
def test_few_steps_are_not_timed_and_memory_decides(gib: float, pack: int) -> None:
    """Of 80 GiB 72 may be expected to be full, half a GiB of it CUDA's; no pack has more than 32 runs."""
    timer = _Timer({})
    placement = _place(timer, runs=40, gpus=make_gpus(), pack="auto", steps=400, estimate=_need(gib))
    assert (placement.workers, placement.pack, timer.asked) == (1, pack, [])
    by_memory = f"; {pack} runs together, by expected memory" if pack > 1 else ""
    assert placement.reason == f"one process on Fake 80{by_memory}"


def test_what_is_known_to_fit_is_timed_in_very_long_studies_alone() -> None:
    """The largest pack was the fastest, or nearly, wherever it was measured."""
    short, long = (_timed_on_gpu(0.1, 0.101, 0.102) for _ in range(2))
    placement = _place(short, gpus=make_gpus(), pack="auto", steps=6000, estimate=_need(1))
    assert (placement.pack, short.asked) == (4, [])
    placement = _place(long, gpus=make_gpus(), pack="auto", steps=60_000, estimate=_need(1))
    assert placement.pack == 4
    assert long.asked


def test_where_nothing_is_known_and_timing_is_too_dear_runs_train_alone() -> None:
    assert _place(_Timer({}), gpus=make_gpus(), pack="auto", steps=100).pack == 1


def test_every_group_has_to_fit() -> None:
    large = Group(tuple(make_tiny_run(seed) for seed in range(10, 14)))

    def estimate(group: Group, runs: int) -> Range | None:
        return _need(30 if group is large else 1)(group, runs)

    placement = _place(
        _Timer({}), runs=8, more=[large], gpus=make_gpus(), pack="auto", steps=100, estimate=estimate
    )
    assert placement.pack == 2


@pytest.mark.parametrize(
    ("gpus", "runs", "pack", "workers"),
    [(1, 4, "auto", 1), (2, 4, "auto", 2), (8, 4, "auto", 4), (2, 4, 4, 1), (2, 5, 2, 2)],
)
def test_each_gpu_gets_a_process_as_long_as_there_are_packs(
    gpus: int, runs: int, pack: Any, workers: int
) -> None:
    placement = _place(_Timer({}), runs=runs, gpus=make_gpus(gpus), pack=pack, steps=100)
    assert placement.workers == workers


def test_a_group_is_shared_out_to_all_gpus() -> None:
    placement = _place(_Timer({}), runs=6, gpus=make_gpus(2), pack="auto", steps=100, estimate=_need(0.1))
    assert (placement.workers, placement.pack) == (2, 3)
    assert placement.reason.startswith("2 processes, one per GPU; 3 runs together")


def test_processes_that_share_a_gpu_share_its_memory() -> None:
    """Four on two GPUs: each has 36 GiB, less what CUDA takes."""
    placement = _place(
        _Timer({}), runs=80, gpus=make_gpus(2), workers=4, pack="auto", steps=100, estimate=_need(3)
    )
    assert (placement.workers, placement.pack, placement.reason[:9]) == (4, 11, "asked for")


def test_probes_take_a_process_a_gpu() -> None:
    runs = tuple(replace(make_tiny_run(seed), method="probe") for seed in range(5))
    groups, timer = [Group(runs)], _Timer({})
    placement = choose_placement(groups, {}, timer, workers="auto", pack="auto", gpus=make_gpus())
    assert (placement.workers, timer.asked) == (1, [])
