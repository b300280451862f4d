"""The whole column says whether 0 and 1 are places or names, and what separates names."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.preprocessing import MultiLabelBinarizer

from headstart.config.study import Data
from headstart.data.corpus import PARTS, Part, Row
from headstart.data.labels.label_set import LabelSet
from headstart.errors import DataError

DATA = Data(path="a")
KIND = LabelSet()


def settled(labels: list[Any], **data: Any) -> list[object]:
    """What each label means; the parts of a study take turns."""
    rows: dict[Part, list[Row]] = {
        part: [Row(i, f"f:{i + 2}", "text", labels[i]) for i in range(k, len(labels), 3)]
        for k, part in enumerate(PARTS)
    }
    found = KIND.settle(rows, Data.model_validate({"path": "a", **data}))
    in_order = sorted((row for part in PARTS for row in found[part]), key=lambda row: row.id)
    return [row.label if isinstance(row.label, dict) else KIND.list_names(row, DATA) for row in in_order]


def refused(labels: list[Any], **data: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        settled(labels, **data)
    return caught.value


@pytest.mark.parametrize("write", [list, str, tuple, lambda flags: "|".join(map(str, flags))])
@pytest.mark.parametrize("dtype", [int, float, bool])
def test_zeros_and_ones_of_one_length_are_places(write: Any, dtype: type) -> None:
    binarizer = MultiLabelBinarizer(classes=["drama", "crime", "war"])
    names = [["drama", "war"], [], ["crime"], ["drama", "crime", "war"]]
    hot = [[dtype(flag) for flag in flags] for flags in binarizer.fit_transform(names)]
    cells = [str(write(flags)) if write is tuple else write(flags) for flags in hot]
    assert settled(cells, label_names=["drama", "crime", "war"]) == names
    assert settled(cells) == [["0", "2"], [], ["1"], ["0", "1", "2"]]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([[0], [0, 1], []], [["0"], ["0", "1"], []]),
        ([[0], [1]], [["0"], ["1"]]),
        ([[1, 0], [2, 1], [0, 2]], [["1", "0"], ["2", "1"], ["0", "2"]]),
        ([["0", "a"], ["1", "a"]], [["0", "a"], ["1", "a"]]),
        (["0", "0|1", ""], [["0"], ["0", "1"], []]),
    ],
)
def test_numbers_that_are_sets_stay_names(labels: list[Any], names: list[list[str]]) -> None:
    assert settled(labels) == names


def test_pairs_of_one_and_zero_are_places() -> None:
    """As names every text would have both."""
    assert settled([[1, 0], [0, 1]]) == [["0"], ["1"]]


def test_one_place_is_named_by_the_study() -> None:
    assert settled([[1], [0]], label_names=["toxic"]) == [["toxic"], []]


def test_flags_by_name_are_names() -> None:
    assert settled([{"a": 1, "b": 0}, "{'a': 0, 'b': 1}"]) == [["a"], ["b"]]


def test_columns_stay_as_they_are() -> None:
    assert settled([{"a": 1, "b": 0}], label=["a", "b"]) == [{"a": 1, "b": 0}]


@pytest.mark.parametrize("labels", [[[1, 0, 0], [1, 0, 0], [0, 1]], ["[1, 0, 0]", "[1 0 0]", "[0 1]"]])
def test_places_of_another_number_are_refused(labels: list[Any]) -> None:
    error = refused(labels)
    assert (error.got, error.where) == (f"label {labels[2]!r} has 2 flags of 0 or 1", "f:4")
    assert error.expected == "3, as other rows have"


def test_names_of_another_number_are_refused() -> None:
    assert refused([[1, 0, 0], [1, 0, 1]], label_names=["a", "b"]).expected == "2, as data.label_names has"
    assert refused([["x"], [1]], label_names=["a"]).fix == "unset data.label_names where cells hold names"


@pytest.mark.parametrize(
    ("label", "got"),
    [
        ([0.2, 0.8], "0.2 in a list of labels"),
        ([[1, 0], [0, 1]], "[1, 0] in a list of labels"),
        ("[1, ..., 0]", "Ellipsis in a list of labels"),
        ("[drama, war]", "label '[drama, war]'"),
        ("array([1, 0])", "label 'array([1, 0])'"),
        ([float("nan")], "nan in a list of labels"),
        ("['a', None]", "None in a list of labels"),
    ],
)
def test_error_says_what_a_cell_may_hold(label: Any, got: str) -> None:
    error = refused([["a"], label])
    assert (error.got, error.where) == (got, "f:3")
    assert error.expected == (
        "names in a list, such as ['drama', 'war'], or with '|' between them; or 0 or 1 for each label in "
        "one order, such as [1, 0, 1]; an empty list or cell for none"
    )


def test_names_with_brackets_may_stand_between_separators() -> None:
    assert settled(["[spam]|[ham]"]) == [["[spam]", "[ham]"]]


@pytest.mark.parametrize("separator", [",", ", ", ";", "/"])
def test_other_separator_than_the_studys_is_asked_for(separator: str) -> None:
    cells = [separator.join(names) for names in (["drama"], ["crime", "war"], ["war", "drama"])]
    error = refused(cells)
    mark = separator.strip()
    assert error.got == f"label {cells[1]!r}, and 'war' is in others too: separated by {mark!r}?"
    assert error.where == "f:3"
    assert error.fix == f'set data.label_separator: "{mark}"; or "|" if it is one name'
    assert settled(cells, label_separator=mark) == [["drama"], ["crime", "war"], ["war", "drama"]]
    assert settled(cells, label_separator="|") == [[cell] for cell in cells]


@pytest.mark.parametrize("cells", [["1,0,1", "0,1,0"], ["1 0 1", "0 1 0"]])
def test_flags_with_another_separator_are_asked_about(cells: list[str]) -> None:
    error = refused(cells)
    separator = cells[0][1]
    assert f"separated by {separator!r}?" in error.got
    assert settled(cells, label_separator=separator) == [["0", "2"], ["1"]]


def test_commas_of_names_are_no_separators() -> None:
    cells = ["Sci-fi, fantasy", "Drama", "Arts, crafts"]
    assert settled(cells) == [[cell] for cell in cells]
    assert settled(["drama, war|drama", "drama"]) == [["drama, war", "drama"], ["drama"]]


def test_names_of_places_go_with_one_column_and_are_different() -> None:
    for given in ({"label": ["a", "b"], "label_names": ["a", "b"]}, {"label_names": ["a", "a"]}):
        with pytest.raises(ValueError, match="label_names"):
            Data.model_validate({"path": "a", **given})
