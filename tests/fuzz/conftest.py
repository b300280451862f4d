"""How fuzzers run: short and always the same in CI; for so many CPU seconds where they are named."""

from __future__ import annotations

import faulthandler
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fuzzing import TALLY, is_unlimited, read_seconds

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
# Files are written and models loaded in examples: no deadline, and nothing is kept between runs.
settings.register_profile(
    "ci", derandomize=True, max_examples=25, deadline=None, database=None, suppress_health_check=_SLOW
)
settings.register_profile(
    "long", max_examples=500, deadline=None, database=None, suppress_health_check=_SLOW, print_blob=True
)
settings.load_profile("long" if is_unlimited() else "ci")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Call a fuzzer until its seconds are over, each time with examples of its own."""
    seconds = read_seconds()
    if seconds is None:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    end = time.process_time() + seconds
    while time.process_time() < end:
        pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    return True


@pytest.fixture(autouse=True)
def _leave_figures() -> Iterator[None]:
    """Figures for who started a long run; `run_to_end` has a stack printed where an example hangs."""
    yield
    faulthandler.cancel_dump_traceback_later()
    if name := os.environ.get("HEADSTART_FUZZ_TALLY"):
        TALLY.write(Path(name))
