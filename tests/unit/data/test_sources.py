"""Rows are found wherever the study's data section says, with their columns, or the lack is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headstart.config.study import Data
from headstart.errors import DataError, MissingExtraError
from source_rows import load_rows

CSV = "text,label\na,x\nb,y\n"


def data(**values: Any) -> Data:
    return Data.model_validate({key: str(v) if isinstance(v, Path) else v for key, v in values.items()})


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def lines(folder: Path, *rows: dict[str, Any]) -> Path:
    return write(folder, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def refused(found: Data) -> DataError:
    with pytest.raises(DataError) as caught:
        load_rows(found)
    return caught.value


def test_one_path_is_the_training_part(tmp_path: Path) -> None:
    rows = load_rows(data(path=write(tmp_path, "a.csv", CSV)))
    assert {part: [row.text for row in part_rows] for part, part_rows in rows.items()} == {
        "train": ["a", "b"]
    }


def test_named_files_are_their_parts(tmp_path: Path) -> None:
    rows = load_rows(
        data(
            train=write(tmp_path, "a.csv", CSV),
            test=write(tmp_path, "b.tsv", "text\tlabel\nc\tx\n"),
        )
    )
    texts = {part: [row.text for row in part_rows] for part, part_rows in rows.items()}
    assert texts == {"train": ["a", "b"], "test": ["c"]}


def test_row_knows_its_index_and_place(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", CSV)
    row = load_rows(data(path=file))["train"][1]
    assert (row.id, row.where, row.text, row.label, row.group) == (1, f"{file}:3", "b", "y", None)


def test_pair_is_two_texts(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "p,q,label\none,two,x\n")
    assert load_rows(data(path=file, text=["q", "p"]))["train"][0].text == ("two", "one")


def test_label_columns_are_kept_by_name(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "text,x,y\na,0,1\n")
    assert load_rows(data(path=file, label=["y", "x"]), "multi-label")["train"][0].label == {
        "y": "1",
        "x": "0",
    }


def test_parallel_files_take_the_columns_names(tmp_path: Path) -> None:
    write(tmp_path, "train.review", "good\nbad\n")
    write(tmp_path, "train.label", "1\n0\n")
    rows = load_rows(data(path=tmp_path / "train", text="review"))["train"]
    assert [(row.text, row.label) for row in rows] == [("good", "1"), ("bad", "0")]


def test_group_is_read_as_text(tmp_path: Path) -> None:
    file = lines(tmp_path, {"text": "a", "label": "x", "film": 7})
    assert load_rows(data(path=file, split={"group": "film"}))["train"][0].group == "7"


@pytest.mark.parametrize(
    ("more", "column", "key"),
    [
        ({"text": "review"}, "review", "data.text"),
        ({"text": ["text", "second"]}, "second", "data.text"),
        ({"label": "stars"}, "stars", "data.label"),
        ({"label": ["label", "z"]}, "z", "data.label"),
        ({"split": {"group": "film"}}, "film", "data.split.group"),
    ],
)
def test_missing_column_names_those_present(
    tmp_path: Path, more: dict[str, Any], column: str, key: str
) -> None:
    file = write(tmp_path, "a.csv", CSV)
    error = refused(data(path=file, **more))
    assert (error.got, error.where) == (f"no column {column!r}", f"{file}:2")
    assert (error.expected, error.fix) == ("one of the columns: text, label", f"set {key}")


@pytest.mark.parametrize("text", ["", "   ", "\t\n", "\u00a0"])
def test_empty_text_is_refused(tmp_path: Path, text: str) -> None:
    file = lines(tmp_path, {"text": "a", "label": 1}, {"text": text, "label": 1})
    error = refused(data(path=file))
    assert (error.got, error.where) == ("empty text in column 'text'", f"{file}:2")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "no text (null or NaN) in column 'text'"),
        (float("nan"), "no text (null or NaN) in column 'text'"),
        (3, "3 in column 'text'"),
        (["a"], "['a'] in column 'text'"),
        ("cut \ud83d", "an unpaired surrogate in column 'text'"),
    ],
)
def test_cell_that_is_no_text_is_refused(tmp_path: Path, value: object, expected: str) -> None:
    assert refused(data(path=lines(tmp_path, {"text": value, "label": 1}))).got == expected


def test_empty_half_of_a_pair_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "p,q,label\none,,x\n")
    assert refused(data(path=file, text=["p", "q"])).got == "empty text in column 'q'"


def test_path_may_be_a_folder_of_parts(tmp_path: Path) -> None:
    for name in ("train-0", "train-1", "validation", "test"):
        write(tmp_path, f"data/{name}.csv", f"text,label\n{name},x\n")
    rows = load_rows(data(path=tmp_path))
    texts = {part: [(row.id, row.text) for row in part_rows] for part, part_rows in rows.items()}
    assert texts == {
        "train": [(0, "train-0"), (1, "train-1")],
        "valid": [(0, "validation")],
        "test": [(0, "test")],
    }


def test_part_may_be_a_pattern(tmp_path: Path) -> None:
    for name in ("train-0", "train-1", "test"):
        write(tmp_path, f"data/{name}.csv", f"text,label\n{name},x\n")
    rows = load_rows(data(train=tmp_path / "data/train-*.csv", test=tmp_path / "data/test.csv"))
    assert [row.text for row in rows["train"]] == ["train-0", "train-1"]


def test_csv_has_the_studys_separator(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", 'text;label\n"a;b, c";x\n')
    (row,) = load_rows(data(path=file, separator=";"))["train"]
    assert (row.text, row.label) == ("a;b, c", "x")


@pytest.mark.parametrize("separator", ["", "||", '"', "\n"])
def test_separator_is_one_character(separator: str) -> None:
    with pytest.raises(ValueError, match="one character expected"):
        data(path="a.csv", separator=separator)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `datasets` package, offline and with its cache below `tmp_path`."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return tmp_path


def test_hub_data_lies_in_a_local_folder_too(hub_cache: Path) -> None:
    for part in ("train", "validation", "test"):
        write(hub_cache, f"ds/{part}.csv", f"text,label\n{part} a,x\n{part} b,y\n")
    rows = load_rows(data(hub=hub_cache / "ds"))
    assert {part: part_rows[0].text for part, part_rows in rows.items()} == {
        "train": "train a",
        "valid": "validation a",
        "test": "test a",
    }
    assert rows["test"][1].where == f"{hub_cache / 'ds'}/test row 2"


def test_hub_part_that_is_absent_stays_absent(hub_cache: Path) -> None:
    write(hub_cache, "ds/train.csv", CSV)
    assert list(load_rows(data(hub=hub_cache / "ds"))) == ["train"]


def test_hub_data_without_a_training_part_is_refused(hub_cache: Path) -> None:
    write(hub_cache, "ds/test.csv", CSV)
    assert refused(data(hub=hub_cache / "ds")).got == "no part 'train' among test"


def test_hub_class_indices_become_names(hub_cache: Path) -> None:
    import datasets

    features = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    table = datasets.Dataset.from_dict(
        {"text": ["a", "b", "c", "d"], "label": [1, 0, -1, None]}, features=datasets.Features(features)
    )
    (hub_cache / "ds").mkdir()
    table.to_parquet(str(hub_cache / "ds" / "train.parquet"))
    assert str(refused(data(hub=hub_cache / "ds")).where).endswith("train row 4")
    rows = load_rows(data(hub=hub_cache / "ds", skip_invalid=True))["train"]
    assert [row.label for row in rows] == ["pos", "neg", -1]


def test_hub_data_that_is_not_there_is_refused(hub_cache: Path) -> None:
    error = refused(data(hub=hub_cache / "absent"))
    assert error.got.startswith("cannot be loaded: ")
    assert error.where == f"data.hub: {hub_cache / 'absent'}"


def test_hub_data_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingExtraError, match="'datasets'") as caught:
        load_rows(data(hub="org/x"))
    assert caught.value.fix == "in the folder of Headstart's source: pip install -c constraints.txt '.[hub]'"


@pytest.mark.parametrize("group", ["null", '""', "NaN"])
def test_row_without_a_group_is_refused(tmp_path: Path, group: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "label": 1, "film": {group}}}\n', encoding="utf-8")
    data = Data.model_validate({"path": str(tmp_path / "a.jsonl"), "split": {"group": "film"}})
    with pytest.raises(DataError, match=r"no group .* in column 'film'"):
        load_rows(data)


def test_groups_of_parallel_files_have_their_file(tmp_path: Path) -> None:
    for column, lines in {"text": "a\nb\n", "label": "0\n1\n", "film": "x\ny\n"}.items():
        (tmp_path / f"t.{column}").write_text(lines, encoding="utf-8")
    data = Data.model_validate({"path": str(tmp_path / "t"), "split": {"group": "film"}})
    assert [row.group for row in load_rows(data)["train"]] == ["x", "y"]


def test_missing_file_of_groups_is_named(tmp_path: Path) -> None:
    for column in ("text", "label"):
        (tmp_path / f"t.{column}").write_text("a\n", encoding="utf-8")
    data = Data.model_validate({"path": str(tmp_path / "t"), "split": {"group": "film"}})
    with pytest.raises(DataError, match=r"parallel files t\.text \+ t\.label \+ t\.film"):
        load_rows(data)


SCRIPT = "raise SystemExit('it was run')"


def test_script_of_a_data_set_is_not_run(tmp_path: Path) -> None:
    script = write(tmp_path / "reviews", "reviews.py", SCRIPT)
    for path in (script, script.parent):
        error = refused(data(path=path))
        assert (error.got, error.where) == ("unknown format .py", str(script))
        assert "a script is never run" in (error.fix or "")


def test_script_beside_data_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "reviews", "reviews.py", SCRIPT)
    write(tmp_path / "reviews", "a.csv", CSV)
    assert len(load_rows(data(path=tmp_path / "reviews"))["train"]) == 2


def test_script_of_the_hub_is_not_run(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    write(tmp_path / "reviews", "reviews.py", SCRIPT)
    error = refused(data(hub=tmp_path / "reviews"))
    assert "scripts are no longer supported" in error.got
    assert error.expected == "a data set of data files: a script is never run"
