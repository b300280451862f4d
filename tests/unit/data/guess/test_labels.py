"""Which column holds the labels, and what its values make of the task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headstart.data.guess.columns import Column, describe_columns
from headstart.data.guess.labels import LabelGuess, check_label, count_flags, guess_label, judge_column
from headstart.errors import DataError


def judge(name: str, *cells: Any, is_pair: bool = False) -> LabelGuess | None:
    return judge_column(describe_columns([{name: cell} for cell in cells])[name], is_pair=is_pair)


def guess(rows: list[dict[str, Any]]) -> LabelGuess:
    columns = describe_columns(rows)
    useful: dict[str, Column] = {n: c for n, c in columns.items() if c.say_why_useless() is None}
    return guess_label(columns, useful, rows, Path("a.csv"))


@pytest.mark.parametrize(
    ("name", "cells", "task", "doubt"),
    [
        ("label", [0, 1] * 9, "classification", None),
        ("label", [0, 1, 2] * 9, "classification", None),
        ("label", ["a", "b"] * 9, "classification", None),
        ("label", [True, False] * 9, "classification", None),
        ("stars", [1, 2, 3, 4, 5] * 9, "classification", "as numbers, `task: regression`"),
        ("label", ["0", "1", "2", "3", "4"] * 9, "classification", "as numbers, `task: regression`"),
        ("label", [0.0, 0.5, 1.0] * 9, "regression", "as classes, `task: classification`"),
        ("score", [i / 5 for i in range(26)] * 2, "regression", None),
        ("score", [*range(101)] * 2, "regression", None),
        ("label", [*range(20)] * 9, "classification", "as numbers, `task: regression`"),
        ("label", [*range(20)], "regression", "as classes, `task: classification`"),
        ("label", [10, 200, 3000] * 9, "classification", None),
    ],
)
def test_values_decide_the_task(name: str, cells: list[Any], task: str, doubt: str | None) -> None:
    judged = judge(name, *cells)
    assert judged is not None
    assert judged.task == task
    assert (doubt is None) == (judged.doubts == ())
    assert doubt is None or doubt in judged.doubts[0]


def test_scores_of_pairs_are_numbers() -> None:
    judged = judge("score", *[0, 1, 2, 3, 4, 5] * 50, is_pair=True)
    assert judged is not None
    assert judged.task == "regression"
    assert "as classes" in judged.doubts[0]


def test_texts_are_no_labels() -> None:
    assert judge("label", *(f"name {i}" for i in range(60))) is None
    column = describe_columns([{"label": f"name {i}"} for i in range(60)])["label"]
    with pytest.raises(DataError, match="'label' has 60 values in 60 rows: too many for classes"):
        check_label(column, 60, Path("a.csv"))


def test_many_classes_that_come_again_are_classes() -> None:
    judged = judge("intent", *(f"intent {i % 77}" for i in range(770)))
    assert judged is not None
    assert (judged.task, len(judged.classes)) == ("classification", 77)


def test_cells_of_several_labels_are_sets() -> None:
    judged = judge("genres", "funny|film", "funny", "film|war", "war|funny")
    assert judged == LabelGuess("genres", "multi-label", {"funny": 3, "film": 2, "war": 2}, "|")


@pytest.mark.parametrize(
    "cells",
    [
        [["the", "cat", "saw", "the", "dog"], ["a", "b"]],
        [[0, 0, 3], [1, 0, 0, 2]],
        [[0.1, 0.5], [0.2, 0.4]],
        [[{"name": "x"}], [{"name": "y"}]],
        [{"source": "x"}, {"source": "y"}],
    ],
    ids=["tokens", "their tags", "measurements", "objects in lists", "objects"],
)
def test_other_lists_are_no_labels(cells: list[Any]) -> None:
    assert judge("labels", *cells * 9) is None


def test_0_and_1_by_name_are_sets() -> None:
    judged = judge("labels", *[{"funny": 1, "war": 0}, {"funny": 1, "war": 1}] * 9)
    assert judged == LabelGuess("labels", "multi-label", {"funny": 18, "war": 9})


def test_rows_of_0_and_1_want_names() -> None:
    judged = judge("labels", *[[1, 0, 1], [0, 0, 1]] * 9)
    assert judged is not None
    assert judged.classes == {"0": 9, "1": 0, "2": 18}
    assert "`label_names: [...]`" in judged.doubts[0]


def test_columns_of_0_and_1_are_sets() -> None:
    rows = [{"text": f"a {i}", "toxic": i % 2, "rude": i % 3 % 2, "threat": int(i == 5)} for i in range(12)]
    found = guess(rows)
    assert found.columns == ("toxic", "rude", "threat")
    assert (found.task, found.classes) == ("multi-label", {"toxic": 6, "rude": 4, "threat": 1})
    assert found.doubts == ()


def test_columns_of_which_one_is_1_could_be_classes() -> None:
    rows = [{"text": "a", "good": i % 2, "bad": 1 - i % 2} for i in range(12)]
    assert "each row has exactly one of good, bad" in count_flags(["good", "bad"], rows).doubts[0]
    assert guess(rows).task == "multi-label"


def test_label_beside_columns_of_0_and_1_is_the_label() -> None:
    rows = [{"a": i % 2, "b": i // 2 % 2, "label": "xyz"[i % 3]} for i in range(12)]
    found = guess(rows)
    assert found.columns == "label"
    assert "label: [a, b]" in found.doubts[-1]


def test_label_that_is_always_the_same_is_passed_over() -> None:
    rows = [{"text": f"a {i}", "label": -1, "kind": "xy"[i % 2]} for i in range(12)]
    found = guess(rows)
    assert found.columns == "kind"
    assert "kind was taken as the label, judging by its values" in found.doubts[0]


def test_other_candidates_are_named() -> None:
    rows = [{"text": f"a {i}", "lang": "xy"[i % 2], "kind": "abc"[i % 3]} for i in range(12)]
    found = guess(rows)
    assert found.columns == "kind"
    assert "lang could be too" in found.doubts[0]


def test_nothing_that_could_be_a_label_is_said_with_what_was_seen() -> None:
    rows = [{"id": i, "text": f"the film number {i} was long", "lang": "en"} for i in range(30)]
    with pytest.raises(DataError, match=r"among id, text, lang \(id: a row identifier, lang: always en\)"):
        guess(rows)


def test_texts_alone_need_labels() -> None:
    with pytest.raises(DataError, match="one column, text, and no labels"):
        guess([{"text": f"the film number {i} was long"} for i in range(30)])
