"""A lease that was lent to a process elsewhere is in force until it is withdrawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.store.fences import Fences, LeaseLostError, lend_lease, withdraw
from headstart.store.holders import describe_this_process


def test_a_lease_that_was_lent_is_in_force_until_it_is_withdrawn(tmp_path: Path) -> None:
    lent, other = (lend_lease(tmp_path, name, describe_this_process()) for name in ("one", "two"))
    both = Fences((lent, other))
    both.check()
    withdraw(other)
    lent.check()
    with pytest.raises(LeaseLostError):
        both.check()
    withdraw(other)  # once more does no harm
