"""Amounts of bytes as people write them."""

from __future__ import annotations

import pytest

from headstart.report.units import format_bytes


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
