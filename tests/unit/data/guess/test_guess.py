"""What a data file seems to hold, from its rows as they lie there: files, columns, task, classes, doubts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headstart.data.guess.guess import guess_data
from headstart.errors import DataError


def write_csv(path: Path, header: str, *lines: str) -> Path:
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_table(path: Path) -> Path:
    return write_csv(path, "id,review,stars", *(f"{i},a film of {i} minutes,{i % 2}" for i in range(20)))


def test_columns_of_a_table_are_guessed(tmp_path: Path) -> None:
    guess = guess_data(write_table(tmp_path / "a.csv"))
    assert (guess.columns, guess.task) == ({"text": "review", "label": "stars"}, "classification")
    assert (guess.rows, guess.seen, guess.median_words, guess.classes) == (20, 20, 5, {"0": 10, "1": 10})
    assert guess.files == {"path": tmp_path / "a.csv"}


def test_longest_texts_are_the_text_where_no_name_tells(tmp_path: Path) -> None:
    lines = (f"k{i},the long words of number {i},{'xy'[i % 2]}" for i in range(10))
    guess = guess_data(write_csv(tmp_path / "a.csv", "key,what,kind", *lines))
    assert guess.columns == {"text": "what", "label": "kind"}


def test_named_columns_win_over_the_guess(tmp_path: Path) -> None:
    rows = [{"text": "a", "other": f"b {i}", "label": i % 2, "kind": "xyz"[i % 3]} for i in range(9)]
    guess = guess_data(write_jsonl(tmp_path / "a.jsonl", rows), text="other", label="kind")
    assert (guess.columns, sorted(guess.classes)) == ({"text": "other", "label": "kind"}, ["x", "y", "z"])


def test_lists_are_several_labels(tmp_path: Path) -> None:
    rows = [{"text": "a", "labels": ["x", "y"]}, {"text": "b", "labels": []}]
    guess = guess_data(write_jsonl(tmp_path / "a.jsonl", rows))
    assert (guess.task, guess.classes) == ("multi-label", {"x": 1, "y": 1})


def test_many_numbers_are_a_regression(tmp_path: Path) -> None:
    rows = [{"text": f"t {i}", "score": i / 7} for i in range(60)]
    assert guess_data(write_jsonl(tmp_path / "a.jsonl", rows)).task == "regression"


def test_many_words_are_no_classes(tmp_path: Path) -> None:
    rows = [{"text": f"t {i}", "label": f"name {i}"} for i in range(60)]
    with pytest.raises(DataError, match="'label' has 60 values in 60 rows: too many for classes"):
        guess_data(write_jsonl(tmp_path / "a.jsonl", rows))


def test_folder_of_parts_is_three_files(tmp_path: Path) -> None:
    for name in ("training.csv", "dev.csv", "test.csv"):
        write_table(tmp_path / name)
    guess = guess_data(tmp_path)
    assert {part: path.name for part, path in guess.files.items()} == {
        "train": "training.csv",
        "valid": "dev.csv",
        "test": "test.csv",
    }


def test_folder_of_classes_is_one_source(tmp_path: Path) -> None:
    for i, name in enumerate(("neg", "pos") * 3):
        (tmp_path / "films" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "films" / name / f"{i}.txt").write_text(f"text {i}", encoding="utf-8")
    guess = guess_data(tmp_path / "films")
    assert (guess.files, guess.columns) == (
        {"path": tmp_path / "films"},
        {"text": "text", "label": "label"},
    )
    assert guess.classes == {"neg": 3, "pos": 3}


def test_parallel_files_are_found_by_their_stems(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / f"{part}.review").write_text("good\nbad\n" * 5, encoding="utf-8")
        (tmp_path / f"{part}.label").write_text("1\n0\n" * 5, encoding="utf-8")
    guess = guess_data(tmp_path)
    assert guess.files == {"train": tmp_path / "train", "test": tmp_path / "test"}
    assert guess.columns == {"text": "review", "label": "label"}


@pytest.mark.parametrize(("text", "label"), [("nothing", None), (None, "nothing")])
def test_column_that_is_absent_is_refused(tmp_path: Path, text: str | None, label: str | None) -> None:
    with pytest.raises(DataError, match="no column 'nothing'"):
        guess_data(write_table(tmp_path / "a.csv"), text, label)


def test_file_sorted_by_label_shows_every_label(tmp_path: Path) -> None:
    """Most public sets lie so: the first 5000 rows are of one class."""
    lines = (f"a film of {i} minutes,{'pos' if i < 6000 else 'neg'}" for i in range(12_000))
    guess = guess_data(write_csv(tmp_path / "a.csv", "sentence,label", *lines))
    assert (guess.columns, guess.task) == ({"text": "sentence", "label": "label"}, "classification")
    assert (guess.rows, guess.seen) == (12_000, 5000)
    assert guess.classes.keys() == {"pos", "neg"}
    assert guess.classes["pos"] == pytest.approx(2500, abs=4 * 35)


def test_several_columns_may_be_named_at_once(tmp_path: Path) -> None:
    rows = [{"a": f"was {i}", "b": f"wer {i}", "c": f"wie {i}", "x": i % 2, "y": i % 3 % 2} for i in range(9)]
    file = write_jsonl(tmp_path / "a.jsonl", rows)
    guess = guess_data(file, text="a, c", label="x,y")
    assert guess.columns == {"text": ("a", "c"), "label": ("x", "y")}
    assert (guess.task, guess.classes) == ("multi-label", {"x": 4, "y": 3})


@pytest.mark.parametrize(
    ("label", "message"),
    [("x,kind", "'p' in column 'kind'"), ("same", "column 'same' is always 1"), ("none", "no column 'none'")],
)
def test_named_labels_that_are_none_are_refused(tmp_path: Path, label: str, message: str) -> None:
    rows = [{"text": f"was {i}", "x": i % 2, "kind": "pq"[i % 2], "same": 1} for i in range(9)]
    with pytest.raises(DataError, match=message):
        guess_data(write_jsonl(tmp_path / "a.jsonl", rows), label=label)


def test_naming_a_label_makes_labelled_texts_of_answers(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"what is {i} of it?", "response": f"that is {i} of it", "kind": "xy"[i % 2]}
        for i in range(30)
    ]
    file = write_jsonl(tmp_path / "a.jsonl", rows)
    assert guess_data(file).task == "instruction"
    guess = guess_data(file, label="kind")
    assert (guess.task, guess.columns["text"]) == ("classification", ("prompt", "response"))


def test_several_labels_a_cell_are_split_as_they_stand_there(tmp_path: Path) -> None:
    cells = ["funny;film", "funny", "film;war", "war;funny"] * 3
    lines = (f"a film of {i} minutes,{cell}" for i, cell in enumerate(cells))
    guess = guess_data(write_csv(tmp_path / "a.csv", "plot,genres", *lines))
    assert (guess.task, guess.settings) == ("multi-label", {"label_separator": ";"})
    assert guess.classes == {"funny": 9, "film": 6, "war": 6}


def test_empty_cells_are_counted_and_columns_that_tell_nothing_named(tmp_path: Path) -> None:
    rows = [
        {"id": i, "text": f"a film {i}" if i % 4 else "", "label": ["x", "y", None][i % 3], "lang": "en"}
        for i in range(24)
    ]
    guess = guess_data(write_jsonl(tmp_path / "a.jsonl", rows))
    assert guess.faults == (
        "text is empty in 6 of the 24 rows seen",
        "label is empty in 8 of the 24 rows seen",
    )
    assert guess.passed_over == {"id": "a row identifier", "lang": "always en"}


def test_rare_classes_are_named(tmp_path: Path) -> None:
    lines = (f"a film of {i} minutes,{'rare' if i == 9 else 'xy'[i % 2]}" for i in range(60))
    guess = guess_data(write_csv(tmp_path / "a.csv", "text,label", *lines))
    assert guess.doubts == ("few rows seen of rare (1): test results will be unreliable",)


def test_rows_need_not_have_every_column(tmp_path: Path) -> None:
    rows = [{"instruction": f"what is {i} of it?", "output": f"that is {i} of it"} for i in range(30)]
    rows[7]["input"] = "of seven"
    guess = guess_data(write_jsonl(tmp_path / "a.jsonl", rows))
    assert guess.columns == {"prompt": ("instruction", "input"), "response": "output"}
    assert guess.faults == ()


def test_column_that_divides_the_rows_is_told_and_is_no_label(tmp_path: Path) -> None:
    rows = [
        {"text": f"a film {i}", "kind": "xy"[i % 2], "split": ["train", "test", "train", "dev"][i % 4]}
        for i in range(24)
    ]
    guess = guess_data(write_jsonl(tmp_path / "a.jsonl", rows))
    assert guess.columns == {"text": "text", "label": "kind"}
    assert guess.passed_over == {"split": "names each row's part"}
    assert any(doubt.startswith("split names each row's part but is not used") for doubt in guess.doubts)


def test_class_may_be_called_as_a_part_is(tmp_path: Path) -> None:
    rows = [{"text": f"a trip {i}", "label": ["train", "test"][i % 2]} for i in range(24)]
    guess = guess_data(write_jsonl(tmp_path / "a.jsonl", rows))
    assert (guess.columns["label"], guess.doubts) == ("label", ())


def test_files_of_other_parts_beside_the_training_texts_are_told(tmp_path: Path) -> None:
    for name in ("train.csv", "dev.csv", "test.csv", "other.csv"):
        write_table(tmp_path / name)
    write_jsonl(tmp_path / "test.jsonl", [{"a": 1}])
    (doubt,) = guess_data(tmp_path / "train.csv").doubts
    assert doubt == f"dev.csv, test.csv in the same folder: `headstart init {tmp_path}` uses all parts"
    assert guess_data(tmp_path / "other.csv").doubts == ()


def test_space_in_a_header_does_not_hide_the_label(tmp_path: Path) -> None:
    lines = (f"a film {i}, {'xy'[i % 2]}" for i in range(24))
    guess = guess_data(write_csv(tmp_path / "a.csv", "text, label", *lines))
    assert (guess.columns, guess.doubts) == ({"text": "text", "label": " label"}, ())


def test_cells_that_are_nearly_numbers_are_told(tmp_path: Path) -> None:
    lines = (f'a film {i},"{i},5"' for i in range(60))
    with pytest.raises(DataError, match="'0,5' in column 'score' is not a number"):
        guess_data(write_csv(tmp_path / "a.csv", "text,score", *lines))
