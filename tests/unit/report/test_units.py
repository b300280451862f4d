"""Times of runs, and amounts of bytes and energy, as people write them."""

from __future__ import annotations

import pytest

from headstart.report.units import format_bytes, format_energy, format_run_time


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (87 * 2**20, "87.0 MiB"),
        (5 * 2**30, "5.00 GiB"),
        (3000 * 2**30, "3000.00 GiB"),
    ],
)
def test_the_unit_follows_the_number(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("joules", "text"),
    [(0, "0 Wh"), (151.2, "0.042 Wh"), (5400, "1.5 Wh"), (360_000, "100 Wh"), (8_316_000, "2.31 kWh")],
)
def test_energy_is_in_watt_hours(joules: float, text: str) -> None:
    assert format_energy(joules) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0.0 s"), (2.44, "2.4 s"), (10, "10 s"), (600, "10 min")])
def test_short_runs_have_a_tenth_of_a_second(seconds: float, text: str) -> None:
    assert format_run_time(seconds) == text
