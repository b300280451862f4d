"""When a task counts as lost of which Ray says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.config.runs import Pack
from headstart.execute.ray.calls import Needs
from headstart.execute.ray.flights import Flight, find_deadline
from headstart.records import Estimate, Range
from headstart.store.fences import Fence
from headstart.store.holders import describe_this_process
from tiny import make_tiny_run


@pytest.fixture
def flight() -> Flight:
    """Of a pack that is expected to take at most an hour."""
    pack = Pack((make_tiny_run(0),), Estimate(seconds=Range(low=60, high=3600)))
    return Flight(pack, 0, "a", Needs(1), Fence(Path("/nowhere/a.1.held"), describe_this_process()))


def test_a_task_in_rays_queue_may_say_nothing_for_ever(flight: Flight) -> None:
    flight.wait_longer(1e6)
    assert flight.find_fault(120) is None


def test_silence_counts_from_the_last_word(flight: Flight) -> None:
    flight.hear(news=True)
    for _ in range(10):
        flight.wait_longer(100)
        assert flight.find_fault(120) is None
        flight.hear(news=False)
    flight.wait_longer(120)
    assert flight.find_fault(120) == "was silent for 2 min, and was ended"


def test_a_task_past_its_deadline_goes_on_while_it_has_news(flight: Flight) -> None:
    assert find_deadline(flight.pack) == 5 * 3600
    flight.hear(news=True)
    for _ in range(40):
        flight.wait_longer(600)
        assert flight.find_fault(1e9) is None
        flight.hear(news=True)
    for _ in range(3):
        assert flight.find_fault(1e9) is None
        flight.wait_longer(600)
        flight.hear(news=False)
    fault = flight.find_fault(1e9)
    assert fault is not None
    assert "reported nothing for 30 min" in fault


def test_a_task_may_be_quiet_until_its_deadline(flight: Flight) -> None:
    flight.hear(news=True)
    flight.wait_longer(5 * 3600 - 1)
    flight.hear(news=False)
    assert flight.find_fault(1e9) is None
