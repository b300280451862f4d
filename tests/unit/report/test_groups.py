"""Groups of test examples in words: counted, few of them warned of, and none where each is by itself."""

from __future__ import annotations

import pytest

from headstart.records import Contrast
from headstart.report.groups import (
    covers_examples,
    describe_samples,
    explain_groups,
    format_groups,
    name_groups,
    warn_of_few_groups,
)


def contrast(test_examples: int | None, test_groups: int | None) -> Contrast:
    """Of three seeds, with no figure but counts."""
    known = {"arm": "a", "control": "b", "size": "all", "metric": "accuracy", "verdict": "undecided"}
    counts = {
        "n_seeds": 3,
        "n_tests": 1,
        "n_looks": 1,
        "test_examples": test_examples,
        "test_groups": test_groups,
    }
    numbers = {"difference": 0.1, "min_p": 0.25, "each_seed": ()}
    given = known | counts | numbers
    return Contrast.model_validate({name: given.get(name) for name in Contrast.model_fields})


@pytest.mark.parametrize(
    ("examples", "groups", "expected"),
    [
        (2563, 40, "3 seeds and 2,563 test examples in 40 groups"),
        (2563, None, "3 seeds and 2,563 test examples"),
        (2563, 1, "3 seeds"),
        (None, None, "3 seeds"),
    ],
)
def test_what_an_interval_is_over_is_counted(examples: int | None, groups: int | None, expected: str) -> None:
    row = contrast(examples, groups)
    assert describe_samples(row) == expected
    assert covers_examples(row) == ("examples" in expected)


def test_a_number_of_groups_is_named_where_all_have_it() -> None:
    assert format_groups(1200) == " in 1,200 groups"
    assert name_groups([contrast(50, 12), contrast(50, 12)]) == " in 12 groups"
    assert name_groups([contrast(50, 12), contrast(50, None)]) == ""
    assert name_groups([contrast(50, None)]) == ""


@pytest.mark.parametrize(
    ("groups", "start"),
    [
        (None, None),
        (10, None),
        (9, "Intervals are based on few groups of test examples (9)"),
        (1, "All test examples are in one group: intervals are over seeds"),
    ],
)
def test_few_groups_are_warned_of(groups: int | None, start: str | None) -> None:
    notes = list(warn_of_few_groups([contrast(50, groups), contrast(50, 12)]))
    assert [note.startswith(str(start)) for note in notes] == ([] if start is None else [True])


def test_a_comparison_says_that_groups_take_the_place_of_examples() -> None:
    (note,) = explain_groups([contrast(50, 12), contrast(50, 12)], ())
    assert note.startswith("Test examples are in 12 groups: intervals, bootstraps")
    assert list(explain_groups([contrast(50, None)], ())) == []
