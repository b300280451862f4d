"""How far an error of two parts reaches, and how soon that is found."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.stats import behrens_fisher
from headstart.stats.behrens_fisher import compute_two_sided_p, find_reach


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.001])
@pytest.mark.parametrize("seeds_df", [1, 4, 50])
@pytest.mark.parametrize("examples_df", [3, 30, np.inf])
def test_beyond_a_reach_lies_what_it_says_and_few_steps_find_it(
    alpha: float, seeds_df: float, examples_df: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many at once, each of which stays where it was found while others are searched: it took 44 steps."""
    calls, compute_tail = [], behrens_fisher._compute_tail

    def count(*words: float) -> tuple[np.ndarray, np.ndarray]:
        calls.append(words)
        return compute_tail(*words)

    monkeypatch.setattr(behrens_fisher, "_compute_tail", count)
    seeds = np.geomspace(1e-8, 100, 24)
    reach = find_reach(alpha, seeds, 0.3, seeds_df, examples_df)
    assert len(calls) <= 8
    assert compute_two_sided_p(reach, seeds, 0.3, seeds_df, examples_df) == pytest.approx(alpha, rel=1e-11)
