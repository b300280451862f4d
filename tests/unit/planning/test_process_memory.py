"""Memory of a process, from what its runs need; and what does not fit, with the setting to change."""

from __future__ import annotations

from typing import Any

import pytest

from fake_gpus import make_gpus
from headstart.planning.memory import MemoryEstimate
from headstart.planning.process_memory import (
    GROWTH,
    LIBRARY_BYTES,
    MARGIN,
    STEP_OVERHEAD,
    estimate_process_memory,
    warn_of_memory,
)
from headstart.records import Range
from tiny import make_tiny_run

GIB = 2**30
#: A process of 300 MiB; runs of 100 MiB each whose steps take 200 MiB beside it.
PROCESS = 300 << 20
NEED = MemoryEstimate(
    shared=0, member=100 << 20, step=200 << 20, evaluation=150 << 20, whole_model=25 << 20, narrow=False
)


def _middle(need: MemoryEstimate, runs: int) -> float:
    span = estimate_process_memory(need, PROCESS, runs)
    assert span.high / span.low == pytest.approx((1 + MARGIN) / (1 - MARGIN))
    return (span.low + span.high) / 2


def test_memory_is_the_sum_that_the_documentation_states() -> None:
    """1.07 x (process + libraries + weights + 1.35 x activations), with 390 MiB of libraries."""
    assert (GROWTH, STEP_OVERHEAD[False], LIBRARY_BYTES) == (1.07, 1.35, 390 * 2**20)
    assert _middle(NEED, 1) == pytest.approx(1.07 * (300 + 390 + 100 + 1.35 * 200) * 2**20)


def test_a_pack_multiplies_what_is_each_runs_own() -> None:
    assert _middle(NEED, 3) == pytest.approx(1.07 * (300 + 390 + 300 + 1.35 * 600) * 2**20)


def test_small_models_need_less_of_the_libraries() -> None:
    small = MemoryEstimate(
        shared=0, member=10 << 20, step=20 << 20, evaluation=0, whole_model=1 << 20, narrow=False
    )
    assert _middle(small, 1) == pytest.approx(1.07 * (300 + 1.5 * 30 + 10 + 1.35 * 20) * 2**20)


def test_whole_models_or_an_evaluation_count_where_they_are_more_than_a_step() -> None:
    large = MemoryEstimate(
        shared=0, member=0, step=1 << 20, evaluation=2 << 20, whole_model=900 << 20, narrow=True
    )
    assert _middle(large, 1) == pytest.approx(1.07 * (300 + 1.5 * 1 + 2 * 900) * 2**20)


def _warn(need: MemoryEstimate = NEED, *, low: float, free: float, **more: Any) -> list[str]:
    """The warnings about a run, or `pack` as one, in so many processes; sizes in GiB."""
    settings = {"pack": 1, "processes": 1} | {
        key: more.pop(key) for key in more.keys() & {"pack", "processes", "gpus"}
    }
    memory = Range(low=low * GIB, high=2 * low * GIB)
    return [
        w.message for w in warn_of_memory([make_tiny_run(**more)], need, memory, int(free * GIB), **settings)
    ]


def test_what_fits_is_not_mentioned() -> None:
    assert _warn(low=1, free=1) == []
    assert _warn(low=1, free=3, processes=3) == []


@pytest.mark.parametrize(
    ("need", "changes", "remedy"),
    [
        (
            NEED,
            {},
            "lower training.batch_size (and raise training.accumulation), or lower training.max_length",
        ),
        (NEED, {"batch_size": 1}, "choose a smaller model, or method: lora"),
        (MemoryEstimate(0, 9, 1, 0, 0, False), {}, "choose a smaller model, or method: lora"),
        (NEED, {"pack": 4}, "lower pack"),
        (NEED, {"processes": 4}, "lower workers to 2"),
    ],
)
def test_what_does_not_fit_names_the_setting_to_change(
    need: MemoryEstimate, changes: dict[str, Any], remedy: str
) -> None:
    free = 2.5 if "processes" in changes else 0.5
    (text,) = _warn(need, low=1, free=free, **changes)
    assert f"1.0 to 2.0 GiB, and {free:.1f} GiB is free" in text
    assert remedy in text


@pytest.mark.parametrize(
    ("gpus", "processes", "free", "expected"),
    [
        (1, 1, 0.5, "needs 1.0 to 2.0 GiB of GPU memory, and 0.5 GiB is free on Fake 80: lower training"),
        (1, 3, 2.5, "2.5 GiB is free on Fake 80; 3 processes at a time are requested: lower workers to 2"),
        (2, 5, 2.5, "5 processes at a time are requested: lower workers to 4"),
        (2, 4, 2.5, None),
    ],
)
def test_on_gpus_processes_take_turns(gpus: int, processes: int, free: float, expected: str | None) -> None:
    texts = _warn(low=1, free=free, processes=processes, gpus=make_gpus(gpus))
    assert (expected in texts[0]) if expected else not texts


def test_checkpointing_is_proposed_where_it_is_not_used_yet() -> None:
    assert "gradient_checkpointing: true" in _warn(low=1, free=0)[0]
    assert "gradient_checkpointing" not in _warn(low=1, free=0, gradient_checkpointing=True)[0]
