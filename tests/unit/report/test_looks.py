"""Looks before now in sentences, and what an interval holds for."""

from __future__ import annotations

import pytest

from headstart.records import Look
from headstart.report.looks import describe_at_once, explain_looks
from studies import findings_of


def looks(*n_seeds: int) -> list[Look]:
    return [Look(time="t", seeds=tuple(range(n)), headstart="1", margin=None) for n in n_seeds]


@pytest.mark.parametrize(
    ("earlier", "words"),
    [
        (
            (3,),
            (
                "with 3 seeds: verdicts and intervals allow for 2 looks. The error rate of this look is "
                "0.42%, that of"
            ),
        ),
        ((3, 5, 8), "with 3, with 5 and with 8 seeds: verdicts and intervals allow for 4 looks."),
    ],
)
def test_looks_are_counted_with_their_seeds(earlier: tuple[int, ...], words: str) -> None:
    (sentence,) = explain_looks(looks(*earlier))
    assert sentence.startswith("Results were already inspected " + words)


def test_a_first_look_is_not_spoken_of() -> None:
    assert list(explain_looks([])) == []


@pytest.mark.parametrize(
    ("n_tests", "n_looks", "words"),
    [
        (1, 1, ""),
        (6, 1, " for all 6 contrasts at once"),
        (1, 2, " for 2 looks"),
        (6, 3, " for all 6 contrasts at once and 3 looks"),
    ],
)
def test_what_an_interval_allows_for_is_said(n_tests: int, n_looks: int, words: str) -> None:
    row = findings_of().contrasts[0].model_copy(update={"n_tests": n_tests, "n_looks": n_looks})
    assert describe_at_once(row) == words
