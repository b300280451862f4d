"""A cell of text that holds a list gives what was written into it, by whatever library."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headstart.data.labels.list_cells import parse_list


def through_csv(values: list[Any]) -> list[str]:
    """The cells as pandas writes them to CSV, and reads them back."""
    file = io.StringIO(pd.DataFrame({"label": values}).to_csv(index=False))
    cells: list[str] = pd.read_csv(file, dtype=str, keep_default_na=False)["label"].tolist()
    return cells


NAMES = ["drama", "war, civil", "it's", 'the "new" one', "sci-fi  two"]


@pytest.mark.parametrize("kind", [list, tuple, set, np.array, json.dumps])
def test_names_come_back_as_pandas_wrote_them(kind: Any) -> None:
    for count in range(2, len(NAMES) + 1):
        (cell,) = through_csv([kind(NAMES[:count])])
        found = parse_list(cell)
        assert found is not None
        assert sorted(found) == sorted(NAMES[:count])


@pytest.mark.parametrize("dtype", [int, float, bool])
@pytest.mark.parametrize("flags", [[1, 0, 1], [0, 0], [1], [0] * 60])
def test_flags_come_back_as_numpy_printed_them(dtype: type, flags: list[int]) -> None:
    array: np.ndarray = np.array(flags, dtype)
    for cell in through_csv([array, array.tolist()]):
        assert parse_list(cell) == flags


@pytest.mark.parametrize("cell", ["[]", "()", "{}", " [ ] "])
def test_empty_list_is_empty(cell: str) -> None:
    assert parse_list(cell) == []


def test_flags_by_name_are_a_mapping() -> None:
    assert parse_list("{'drama': 1, 'war': 0}") == {"drama": 1, "war": 0}


@pytest.mark.parametrize("cell", ["drama", "", "drama|war", "(none)", "(a) or (b)", "[a] b", "a [b]", "3"])
def test_names_are_no_lists(cell: str) -> None:
    assert parse_list(cell) is None


@pytest.mark.parametrize(
    "cell", ["[drama, war]", "{drama,war}", "array([1, 0])", "tensor([1., 0.])", "np.array(['a'])", "['a]"]
)
def test_what_looks_like_a_list_and_is_none_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match=re.escape(cell)):
        parse_list(cell)
