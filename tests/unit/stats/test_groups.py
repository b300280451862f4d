"""Groups are joined where they share an example: checked on chains, and against a search of the graph."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.stats.groups import are_same_groups, count_groups, join_groups


def test_groups_that_share_an_example_become_one() -> None:
    films = np.array([5, 5, 9, 9, 7, 1])
    texts = np.array([0, 1, 1, 2, 3, 4])  # the second text of film 5 is the first of film 9
    assert join_groups([films, texts]) is not None
    np.testing.assert_array_equal(join_groups([films, texts]), [0, 0, 0, 0, 1, 2])


def test_one_division_is_numbered_by_its_first_examples() -> None:
    np.testing.assert_array_equal(join_groups([np.array([9, 3, 9, 0])]), [0, 1, 0, 2])


@pytest.mark.parametrize("divisions", [[], [None], [None, np.array([3, 1, 2])], [np.array([0])]])
def test_examples_of_their_own_are_no_groups(divisions: list[np.ndarray | None]) -> None:
    assert join_groups(divisions) is None


def test_what_is_unknown_of_one_is_taken_from_the_other() -> None:
    np.testing.assert_array_equal(join_groups([None, np.array([4, 4, 2])]), [0, 0, 1])


def test_joining_is_a_search_of_the_graph() -> None:
    """Of three random divisions: examples are together where a walk through shared groups leads."""
    draws = np.random.default_rng(0)
    divisions = [draws.integers(0, 60, 80) for _ in range(3)]
    joined = join_groups(divisions)
    assert joined is not None
    reach = np.eye(80, dtype=bool)
    for groups in divisions:
        reach |= groups[:, None] == groups
    for _ in range(80):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    np.testing.assert_array_equal(joined[:, None] == joined, reach)
    assert 1 < len(np.unique(joined)) < 60


def test_the_order_of_divisions_changes_nothing() -> None:
    draws = np.random.default_rng(1)
    first, second = draws.integers(0, 20, 50), draws.integers(0, 40, 50)
    np.testing.assert_array_equal(join_groups([first, second]), join_groups([second, first]))


def test_groups_are_counted() -> None:
    assert count_groups(np.array([7, 7, 0])) == 2
    assert count_groups(None) is None


def test_the_same_groups_may_have_other_numbers() -> None:
    first = np.array([0, 0, 1])
    assert are_same_groups([first, np.array([8, 8, 2])])
    assert are_same_groups([None, None])
    assert not are_same_groups([first, np.array([0, 1, 1])])
    assert not are_same_groups([first, None])
