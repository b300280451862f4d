"""How much of the chance to err each look at a growing study has, so that all looks together keep near it.

Whoever looks at results with 3 seeds, then with 5, then with 8, has as many chances to be misled. The first
look, which most studies end with, keeps the whole chance, alpha. The k-th gets alpha / (2 k (k + 1)), which
can be spent without an end: all later looks together have alpha / 4. So the chance that any look errs is at
most 1.25 alpha (a union bound), and less where looks share seeds and so agree; `benchmarks/coverage.py looks`
counts how much less.
"""

from __future__ import annotations

from headstart.stats.summary import ALPHA


def compute_look_alpha(look: int) -> float:
    """The chance of a false verdict that the `look`-th look has, from 1."""
    return ALPHA / (1 if look == 1 else 2 * look * (look + 1))
