"""Tiny studies killed at random moments end as if nobody had killed them: some of benchmarks/kills.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_KILLS = Path(__file__).parents[2] / "benchmarks" / "kills.py"


@pytest.mark.parametrize(
    ("kills", "studies"),
    [
        (2, "pair-w0-pack2"),
        pytest.param(4, "sizes-w0-pack3", marks=pytest.mark.long),
        pytest.param(15, "pair-w0-pack2,sizes-w0-pack3", marks=pytest.mark.long),
        pytest.param(1, "pair-w1-pack2", marks=pytest.mark.long),
    ],
)
def test_studies_that_are_killed_end_equal(kills: int, studies: str) -> None:
    words = [str(kills), "--warm", "--seed", str(kills), "--only", studies]
    done = subprocess.run(
        [sys.executable, str(_KILLS), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kills} of {kills} studies end; {kills} equal" in done.stdout
