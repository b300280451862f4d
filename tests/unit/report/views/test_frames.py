"""Rows as data frames: columns, parts of rows, and what is said without pandas or of an unknown table."""

from __future__ import annotations

import sys

import pandas
import pytest

from headstart.errors import HeadstartError
from headstart.records import Contrast, OneRun
from headstart.report.views.frames import MakeRows, dump_row, flatten_row, make_frame

TABLES: dict[str, MakeRows] = {
    "rows": lambda _: [{"a": 1, "b": 2.5}, {"a": 2, "c": "x"}],
    "none": lambda _: [],
}


def test_the_first_table_is_the_default_and_rows_may_lack_columns() -> None:
    frame = make_frame(object(), TABLES, None)
    assert list(frame.columns) == ["a", "b", "c"]
    assert frame["a"].tolist() == [1, 2]
    assert frame["b"].dtype == "float64"
    assert frame["c"].isna().tolist() == [True, False]
    assert make_frame(object(), TABLES, "none").empty


def test_a_table_that_is_not_there_is_answered_by_those_that_are() -> None:
    with pytest.raises(HeadstartError, match="no table 'run'") as caught:
        make_frame(1, TABLES, "run")
    assert (caught.value.where, caught.value.expected) == ("int.frame", "one of rows, none")
    with pytest.raises(HeadstartError, match="has no table"):
        make_frame(1, {}, None)


def test_without_pandas_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(HeadstartError, match="pandas is not installed") as caught:
        make_frame(1, TABLES, None)
    assert caught.value.fix == "pip install pandas"


def test_a_part_has_the_same_columns_whether_it_is_there_or_not() -> None:
    required = dict.fromkeys(name for name, field in Contrast.model_fields.items() if field.is_required())
    values = required | {"arm": "a", "control": "b", "size": "all", "metric": "accuracy", "n_seeds": 3}
    values |= {"difference": 0.1, "n_tests": 1, "verdict": "better", "min_p": 0.25, "each_seed": ()}
    without = dump_row(Contrast.model_validate(values), without=["each_seed"])
    part = OneRun(probability=0.9, low=0.5, high=1.0)
    row = dump_row(Contrast.model_validate(values | {"one_run": part}), without=["each_seed"])
    assert list(row) == list(without)
    assert "each_seed" not in row
    assert (row["one_run_probability"], without["one_run_probability"]) == (0.9, None)
    frame = pandas.DataFrame([row, without])
    assert frame["one_run_low"].dtype == "float64"


def test_mappings_are_flattened_to_the_end() -> None:
    assert flatten_row({"a": {"b": {"c": 1}, "d": 2}, "e": 3}) == {"a_b_c": 1, "a_d": 2, "e": 3}
