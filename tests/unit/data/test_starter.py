"""A data file is looked at, and the study file that would use it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headstart.config.load import load_study
from headstart.data.starter import Guess, guess, write_study
from headstart.errors import DataError


def csv(path: Path, header: str, *lines: str) -> Path:
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def table(path: Path) -> Path:
    return csv(path, "id,review,stars", *(f"{i},a film of {i} minutes,{i % 2}" for i in range(20)))


def study(found: Guess, folder: Path) -> Any:
    """The study that the written file holds, standing in `folder`."""
    file = folder / "study.yaml"
    file.write_text(
        write_study(found, model="asset:minilm", out="runs/a", relative_to=folder), encoding="utf-8"
    )
    return load_study(file)


def test_columns_of_a_table_are_guessed(tmp_path: Path) -> None:
    found = guess(table(tmp_path / "a.csv"))
    assert (found.text, found.label, found.task) == ("review", "stars", "classification")
    assert (found.texts, found.words, found.classes) == (20, 5, {"0": 10, "1": 10})
    assert found.files == {"path": tmp_path / "a.csv"}


def test_longest_texts_are_the_text_where_no_name_tells(tmp_path: Path) -> None:
    lines = (f"k{i},the long words of number {i},{'xy'[i % 2]}" for i in range(10))
    found = guess(csv(tmp_path / "a.csv", "key,what,kind", *lines))
    assert (found.text, found.label) == ("what", "kind")


def test_named_columns_win_over_the_guess(tmp_path: Path) -> None:
    rows = [{"text": "a", "other": f"b {i}", "label": i % 2, "kind": "xyz"[i % 3]} for i in range(9)]
    found = guess(jsonl(tmp_path / "a.jsonl", rows), text="other", label="kind")
    assert (found.text, found.label, sorted(found.classes)) == ("other", "kind", ["x", "y", "z"])


def test_lists_are_several_labels(tmp_path: Path) -> None:
    rows = [{"text": "a", "labels": ["x", "y"]}, {"text": "b", "labels": []}]
    found = guess(jsonl(tmp_path / "a.jsonl", rows))
    assert (found.task, found.classes) == ("multi-label", {"x": 1, "y": 1})


def test_many_numbers_are_a_regression(tmp_path: Path) -> None:
    rows = [{"text": f"t {i}", "score": i / 7} for i in range(60)]
    assert guess(jsonl(tmp_path / "a.jsonl", rows)).task == "regression"


def test_many_words_are_no_classes(tmp_path: Path) -> None:
    rows = [{"text": f"t {i}", "label": f"name {i}"} for i in range(60)]
    with pytest.raises(DataError, match="'label' has 60 values in 60 rows: too many for classes"):
        guess(jsonl(tmp_path / "a.jsonl", rows))


def test_folder_of_parts_is_three_files(tmp_path: Path) -> None:
    for name in ("training.csv", "dev.csv", "test.csv"):
        table(tmp_path / name)
    found = guess(tmp_path)
    assert {part: path.name for part, path in found.files.items()} == {
        "train": "training.csv",
        "valid": "dev.csv",
        "test": "test.csv",
    }


def test_folder_of_classes_is_one_source(tmp_path: Path) -> None:
    for i, name in enumerate(("neg", "pos") * 3):
        (tmp_path / "films" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "films" / name / f"{i}.txt").write_text(f"text {i}", encoding="utf-8")
    found = guess(tmp_path / "films")
    assert (found.files, found.text, found.label) == ({"path": tmp_path / "films"}, "text", "label")
    assert found.classes == {"neg": 3, "pos": 3}


def test_parallel_files_are_found_by_their_stems(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / f"{part}.review").write_text("good\nbad\n" * 5, encoding="utf-8")
        (tmp_path / f"{part}.label").write_text("1\n0\n" * 5, encoding="utf-8")
    found = guess(tmp_path)
    assert found.files == {"train": tmp_path / "train", "test": tmp_path / "test"}
    assert (found.text, found.label) == ("review", "label")


@pytest.mark.parametrize(("text", "label"), [("nothing", None), (None, "nothing")])
def test_column_that_is_absent_is_refused(tmp_path: Path, text: str | None, label: str | None) -> None:
    with pytest.raises(DataError, match="no column 'nothing'"):
        guess(table(tmp_path / "a.csv"), text, label)


def test_written_study_reads_what_was_seen(tmp_path: Path) -> None:
    made = study(guess(table(tmp_path / "a.csv")), tmp_path)
    assert (made.data.path, made.data.text, made.data.label) == (str(tmp_path / "a.csv"), "review", "stars")
    assert (list(made.arms), made.control, made.seeds) == (
        ["pretrained", "random", "words"],
        "random",
        (0, 1, 2),
    )
    assert (made.training.learning_rate, made.training.max_length) == (3e-5, 64)
    assert (made.data.split.valid, made.data.split.test) == (0.1, 0.2)


def test_written_study_of_parts_needs_no_split(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        table(tmp_path / f"{part}.csv")
    found = guess(tmp_path)
    made = study(found, tmp_path)
    assert (made.data.train, made.data.test) == (str(tmp_path / "train.csv"), str(tmp_path / "test.csv"))
    assert "split" not in (tmp_path / "study.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("task", ["regression", "multi-label"])
def test_written_study_fits_its_task(tmp_path: Path, task: str) -> None:
    label: Any = {"regression": float, "multi-label": lambda i: ["x"] if i % 2 else ["y"]}[task]
    rows = [{"text": f"t {i}", "label": label(i)} for i in range(60)]
    made = study(guess(jsonl(tmp_path / "a.jsonl", rows)), tmp_path)
    assert made.task == task
    assert made.metric == {"regression": "pearson", "multi-label": "macro_f1"}[task]


@pytest.mark.parametrize("name", ["no", "a: b", "#1", "l'avis", "été", " x", "[a]", "1", "null", "~", "-"])
def test_names_are_written_so_that_they_are_read_back(tmp_path: Path, name: str) -> None:
    rows = [{name: f"text {i}", "label": i % 2} for i in range(10)]
    folder = tmp_path / name
    folder.mkdir()
    made = study(guess(jsonl(folder / "a.jsonl", rows), text=name), tmp_path)
    assert (made.data.text, made.data.path) == (name, str(folder / "a.jsonl"))


def test_file_elsewhere_is_named_in_full(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    made = study(guess(table(tmp_path / "a.csv")), tmp_path / "here")
    assert made.data.path == str(tmp_path / "a.csv")


@pytest.mark.parametrize(("words", "limit"), [(5, 64), (30, 128), (60, 256)])
def test_limit_leaves_room_for_the_texts(tmp_path: Path, words: int, limit: int) -> None:
    rows = [{"text": "a " * words + str(i), "label": i % 2} for i in range(10)]
    assert study(guess(jsonl(tmp_path / "a.jsonl", rows)), tmp_path).training.max_length == limit
