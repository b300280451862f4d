"""Memory on a GPU: the sums that the documentation states, of one run and of several."""

from __future__ import annotations

import pytest

from fake_gpus import GIB, make_gpus
from headstart.planning.device_memory import (
    add_context,
    count_sharing,
    estimate_device_memory,
    find_least_free,
)
from headstart.planning.memory import MemoryEstimate
from headstart.records import Range

MIB = 2**20
NEED = MemoryEstimate(
    shared=30 * MIB,
    member=100 * MIB,
    step=50 * MIB,
    evaluation=40 * MIB,
    whole_model=25 * MIB,
    narrow=True,
    stacked_step=60 * MIB,
    gradient=10 * MIB,
)


@pytest.mark.parametrize(
    ("runs", "captures", "low", "high"),
    [
        (1, True, 30 + 100 + 60 + 8, 1.1 * (30 + 100 + 2 * 60 + 40) + 256),
        (1, False, 30 + 100 + 60 + 8, 1.1 * (30 + 100 + 60 + 40) + 256),
        (3, True, 30 + 300 + 210 + 8, 1.1 * (30 + 300 + 2 * 210 + 40) + 256),
    ],
)
def test_memory_is_the_sum_that_the_documentation_states(
    runs: int, captures: bool, low: float, high: float
) -> None:
    span = estimate_device_memory(NEED, runs, captures=captures)
    assert (span.low / MIB, span.high / MIB) == pytest.approx((low, high))


def test_a_whole_model_counts_where_it_is_more_than_a_step() -> None:
    """A frozen base, say, of which there are two while a run's model is built."""
    large = MemoryEstimate(900 * MIB, MIB, 2 * MIB, MIB, 900 * MIB, True, 2 * MIB)
    span = estimate_device_memory(large, 1, captures=True)
    assert (span.low / MIB, span.high / MIB) == pytest.approx((1809, 1.1 * 1801 + 256))


def test_cuda_takes_its_own_for_each_process() -> None:
    assert add_context(Range(low=0, high=GIB)) == Range(low=500 * MIB, high=GIB + 500 * MIB)
    assert [count_sharing(processes, make_gpus(2)) for processes in (0, 1, 2, 3, 4, 5)] == [1, 1, 1, 2, 2, 3]
    assert find_least_free((*make_gpus(), *make_gpus(free=3))) == 3 * GIB
