"""Memory figures are those of this process."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from headstart.engine.memory import read_peak_bytes, reset_peak_memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are reset on Linux only")
def test_the_peak_starts_anew_and_rises_with_what_is_used() -> None:
    block = np.ones(40_000_000)
    high = read_peak_bytes()
    del block
    reset_peak_memory()
    low = read_peak_bytes()
    assert high - low > 200_000_000
    again = np.ones(20_000_000)
    assert read_peak_bytes() - low > 100_000_000
    assert again.sum() == 20_000_000
