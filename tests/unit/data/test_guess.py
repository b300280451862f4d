"""What a data file seems to hold: its files, columns, task and classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headstart.data.guess import guess_data
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
    assert (guess.text, guess.label, guess.task) == ("review", "stars", "classification")
    assert (guess.rows, guess.median_words, guess.classes) == (20, 5, {"0": 10, "1": 10})
    assert guess.files == {"path": tmp_path / "a.csv"}


def test_longest_texts_are_the_text_where_no_name_tells(tmp_path: Path) -> None:
    lines = (f"k{i},the long words of number {i},{'xy'[i % 2]}" for i in range(10))
    guess = guess_data(write_csv(tmp_path / "a.csv", "key,what,kind", *lines))
    assert (guess.text, guess.label) == ("what", "kind")


def test_named_columns_win_over_the_guess(tmp_path: Path) -> None:
    rows = [{"text": "a", "other": f"b {i}", "label": i % 2, "kind": "xyz"[i % 3]} for i in range(9)]
    guess = guess_data(write_jsonl(tmp_path / "a.jsonl", rows), text="other", label="kind")
    assert (guess.text, guess.label, sorted(guess.classes)) == ("other", "kind", ["x", "y", "z"])


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
    assert (guess.files, guess.text, guess.label) == ({"path": tmp_path / "films"}, "text", "label")
    assert guess.classes == {"neg": 3, "pos": 3}


def test_parallel_files_are_found_by_their_stems(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / f"{part}.review").write_text("good\nbad\n" * 5, encoding="utf-8")
        (tmp_path / f"{part}.label").write_text("1\n0\n" * 5, encoding="utf-8")
    guess = guess_data(tmp_path)
    assert guess.files == {"train": tmp_path / "train", "test": tmp_path / "test"}
    assert (guess.text, guess.label) == ("review", "label")


@pytest.mark.parametrize(("text", "label"), [("nothing", None), (None, "nothing")])
def test_column_that_is_absent_is_refused(tmp_path: Path, text: str | None, label: str | None) -> None:
    with pytest.raises(DataError, match="no column 'nothing'"):
        guess_data(write_table(tmp_path / "a.csv"), text, label)
