"""Data files are found by the part that they are called after, or by a pattern; litter is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.data.folders import find_parts, list_data_files, list_matches
from headstart.data.formats import SUFFIXES, read_cells
from headstart.errors import DataError


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text,label\n" + name + ",x\n", encoding="utf-8")


def found(folder: Path) -> dict[str, list[str]]:
    parts = find_parts(folder, SUFFIXES)
    return {part: [str(file.relative_to(folder)) for file in files] for part, files in parts.items()}


@pytest.mark.parametrize("below", ["", "data/"])
def test_files_of_a_hub_data_set_are_its_parts(tmp_path: Path, below: str) -> None:
    names = ["train-00001-of-00002.parquet", "train-00000-of-00002.parquet", "test-00000-of-00001.parquet"]
    put(tmp_path, *(below + name for name in [*names, "validation-00000-of-00001-b42a775f407cee45.parquet"]))
    put(tmp_path, "README.md", below + "._train-00000-of-00002.parquet", below + "training_args.bin")
    assert found(tmp_path) == {
        "train": [below + name for name in sorted(names[:2])],
        "valid": [below + "validation-00000-of-00001-b42a775f407cee45.parquet"],
        "test": [below + names[2]],
    }


@pytest.mark.parametrize("name", ["valid", "validation", "val", "dev", "Dev"])
def test_validation_has_several_names(tmp_path: Path, name: str) -> None:
    put(tmp_path, "train.csv", f"{name}.csv")
    assert found(tmp_path) == {"train": ["train.csv"], "valid": [f"{name}.csv"]}


def test_folders_of_classes_may_be_parts(tmp_path: Path) -> None:
    put(tmp_path, "train/pos/a.txt", "train/neg/a.txt", "train/urls.txt", "test/pos/a.txt", "test/neg/a.txt")
    assert found(tmp_path) == {"train": ["train"], "test": ["test"]}


def test_classes_called_train_and_test_are_classes(tmp_path: Path) -> None:
    put(tmp_path, "train/a.txt", "test/a.txt")
    assert found(tmp_path) == {}
    assert [cells["label"] for _, cells in read_cells(tmp_path)] == ["test", "train"]


def test_classes_stay_classes_whatever_lies_beside_them(tmp_path: Path) -> None:
    put(tmp_path, "pos/a.txt", "neg/a.txt", "train.csv", "test.csv")
    assert found(tmp_path) == {}
    assert [cells["label"] for _, cells in read_cells(tmp_path)] == ["neg", "pos"]


def test_without_training_texts_there_are_no_parts(tmp_path: Path) -> None:
    put(tmp_path, "test.csv", "trainer.csv", "train_matched.csv")
    assert found(tmp_path) == {}


@pytest.mark.parametrize("other", ["train.jsonl", "training.csv"])
def test_two_files_that_could_be_the_same_part_are_refused(tmp_path: Path, other: str) -> None:
    put(tmp_path, "train.csv", other)
    with pytest.raises(DataError, match=f"train.csv and {other} both belong to part train"):
        find_parts(tmp_path, SUFFIXES)


def test_pattern_gives_its_files_by_name(tmp_path: Path) -> None:
    put(tmp_path, "b[1]/b.csv", "b[1]/a.csv", "b[1]/._a.csv", "b[1]/a.txt", "__MACOSX/b[1]/a.csv")
    names = [str(file.relative_to(tmp_path)) for file in list_matches(tmp_path / "b[1]" / "*.csv")]
    assert names == ["b[1]/a.csv", "b[1]/b.csv"]
    assert len(list_matches(tmp_path / "**" / "*.csv")) == 2
    with pytest.raises(DataError, match="no file matches this pattern"):
        list_matches(tmp_path / "c*.csv")


def test_files_of_a_pattern_are_read_one_after_the_other(tmp_path: Path) -> None:
    put(tmp_path, "part-1.csv", "part-0.csv", "x[1].csv")
    assert [c["text"] for _, c in read_cells(tmp_path / "part-*.csv")] == ["part-0.csv", "part-1.csv"]
    assert [c["text"] for _, c in read_cells(tmp_path / "x[1].csv")] == ["x[1].csv"]


def test_files_of_a_folder_are_read_one_after_the_other(tmp_path: Path) -> None:
    put(tmp_path, "b.csv", "a.csv", "._a.csv", ".DS_Store")
    rows = list(read_cells(tmp_path))
    assert [where for where, _ in rows] == [f"{tmp_path}/a.csv:2", f"{tmp_path}/b.csv:2"]


def test_folder_of_several_formats_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "b.tsv")
    with pytest.raises(DataError, match=r"files of several formats: a\.csv, b\.tsv"):
        list(read_cells(tmp_path))


def test_folder_of_several_parts_is_not_one_of_them(tmp_path: Path) -> None:
    put(tmp_path, "train.csv", "test.csv")
    with pytest.raises(DataError, match="parts train, test in it"):
        list(read_cells(tmp_path))


def test_what_macs_leave_in_class_folders_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "pos/a.txt", "neg/a.txt", "__MACOSX/pos/._a.txt", "__MACOSX/a.txt", ".DS_Store")
    (tmp_path / "pos" / "._a.txt").write_bytes(b"\x00\x05\x16\x07Mac OS X\xb0")
    assert [(c["text"][-9:], c["label"]) for _, c in read_cells(tmp_path)] == [
        ("g/a.txt,x", "neg"),
        ("s/a.txt,x", "pos"),
    ]


@pytest.mark.parametrize(
    "names", [("reviews_train.csv", "reviews_test.csv"), ("a.csv", "test.csv"), ("x-train.csv", "x.dev.csv")]
)
def test_files_of_several_parts_are_not_read_as_one(tmp_path: Path, names: tuple[str, ...]) -> None:
    """The test would be among the training examples."""
    for name in names:
        (tmp_path / name).write_text("text,label\na,x\n")
    with pytest.raises(DataError, match="files that are named after several parts: ") as caught:
        list_data_files(tmp_path, [".csv"])
    assert all(name in str(caught.value) for name in names)


def test_files_of_one_part_are_read_together(tmp_path: Path) -> None:
    names = ["lab-test-1.csv", "lab-test-2.csv"]
    for name in names:
        (tmp_path / name).write_text("text,label\na,x\n")
    assert [path.name for path in list_data_files(tmp_path, [".csv"])] == names


def test_links_that_lead_nowhere_are_no_data(tmp_path: Path) -> None:
    put(tmp_path, "train.csv", "test.csv")
    (tmp_path / "valid").symlink_to(tmp_path / "valid")
    (tmp_path / "dev.csv").symlink_to(tmp_path / "absent.csv")
    assert found(tmp_path) == {"train": ["train.csv"], "test": ["test.csv"]}


def test_a_folder_that_cannot_be_listed_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be listed") as caught:
        list_data_files(tmp_path / "gone", SUFFIXES)
    assert caught.value.where == str(tmp_path / "gone")
