"""A study file is written that reads what was seen, whatever names and places there are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from headstart.commands.init import SCHEMA_FILE, init
from headstart.commands.schema import schema
from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.errors import DataError, ModelError, OutputError


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_table(path: Path) -> Path:
    """Twenty reviews with two kinds of stars."""
    lines = ["id,review,stars", *(f"{i},a film of {i} minutes,{i % 2}" for i in range(20)), ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def make_study(source: Path, folder: Path, **columns: Any) -> Study:
    """The study that the written file holds, standing in `folder`."""
    init(source, folder / "study.yaml", **columns)
    return load_study(folder / "study.yaml")


def test_written_study_reads_what_was_seen(tmp_path: Path) -> None:
    study = make_study(write_table(tmp_path / "a.csv"), tmp_path)
    assert study.data.path == str(tmp_path / "a.csv")
    assert (study.data.text, study.data.label) == ("review", "stars")
    assert (list(study.arms), study.control, study.seeds) == (
        ["pretrained", "random", "words"],
        "random",
        (0, 1, 2),
    )
    assert study.tune is not None
    assert (study.training.epochs, study.training.max_length) == (20, 64)
    assert (study.data.split.valid, study.data.split.test) == (0.1, 0.2)


def test_written_study_of_parts_needs_no_split(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        write_table(tmp_path / f"{part}.csv")
    study = make_study(tmp_path, tmp_path)
    assert (study.data.train, study.data.test) == (str(tmp_path / "train.csv"), str(tmp_path / "test.csv"))
    assert "split" not in (tmp_path / "study.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("task", ["regression", "multi-label"])
def test_written_study_fits_its_task(tmp_path: Path, task: str) -> None:
    label: Any = {"regression": float, "multi-label": lambda i: ["x"] if i % 2 else ["y"]}[task]
    rows = [{"text": f"t {i}", "label": label(i)} for i in range(60)]
    study = make_study(write_jsonl(tmp_path / "a.jsonl", rows), tmp_path)
    assert study.task == task
    assert study.metric == {"regression": "pearson", "multi-label": "macro_f1"}[task]


@pytest.mark.parametrize("name", ["no", "a: b", "#1", "l'avis", "été", " x", "[a]", "1", "null", "~", "-"])
def test_names_are_written_so_that_they_are_read_back(tmp_path: Path, name: str) -> None:
    rows = [{name: f"text {i}", "label": i % 2} for i in range(10)]
    folder = tmp_path / name
    folder.mkdir()
    study = make_study(write_jsonl(folder / "a.jsonl", rows), tmp_path, text=name)
    assert (study.data.text, study.data.path) == (name, str(folder / "a.jsonl"))


def test_file_elsewhere_is_named_in_full(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    study = make_study(write_table(tmp_path / "a.csv"), tmp_path / "here")
    assert study.data.path == str(tmp_path / "a.csv")


@pytest.mark.parametrize(("words", "limit"), [(5, 64), (60, 128), (120, 256), (900, 512)])
def test_limit_leaves_room_for_the_texts(tmp_path: Path, words: int, limit: int) -> None:
    rows = [{"text": "a " * words + str(i), "label": i % 2} for i in range(10)]
    study = make_study(write_jsonl(tmp_path / "a.jsonl", rows), tmp_path)
    assert study.training.max_length == limit


def test_the_file_is_written_beside_its_data(tmp_path: Path) -> None:
    init(write_table(tmp_path / "a.csv"), tmp_path / "films.yaml")
    study = load_study(tmp_path / "films.yaml")
    assert (study.data.path, study.model) == (str(tmp_path / "a.csv"), "asset:minilm")
    assert study.out == str(tmp_path / "runs" / "films")


def test_a_model_in_a_folder_is_found_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("models", "studies"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    init(write_table(tmp_path / "a.csv"), tmp_path / "studies" / "study.yaml", model="models")
    assert load_study(tmp_path / "studies" / "study.yaml").model == str(tmp_path / "models")


def test_columns_may_be_named(tmp_path: Path) -> None:
    rows = [{"text": f"a {i}", "other": f"b {i}", "label": i % 2, "kind": "xyz"[i % 3]} for i in range(9)]
    file = write_jsonl(tmp_path / "a.jsonl", rows)
    init(file, tmp_path / "study.yaml", text="other", label="kind")
    data = load_study(tmp_path / "study.yaml").data
    assert (data.text, data.label) == ("other", "kind")


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="already exists"):
        init(write_table(tmp_path / "a.csv"), tmp_path / "study.yaml")
    assert (tmp_path / "study.yaml").read_text(encoding="utf-8") == "mine"


def test_schema_is_written_beside_the_study(tmp_path: Path) -> None:
    draft = init(write_table(tmp_path / "a.csv"), tmp_path / "films.yaml")
    first = (tmp_path / "films.yaml").read_text(encoding="utf-8").splitlines()[0]
    named = tmp_path / first.removeprefix("# yaml-language-server: $schema=")
    assert named.name == draft.schema
    assert json.loads(named.read_text(encoding="utf-8")) == schema()


def test_schema_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "study.schema.json").write_text("{}", encoding="utf-8")
    draft = init(write_table(tmp_path / "a.csv"), tmp_path / "films.yaml")
    assert draft.is_other_schema
    assert (tmp_path / "study.schema.json").read_text(encoding="utf-8") == "{}"


def test_second_study_shares_the_schema_of_the_first(tmp_path: Path) -> None:
    source = write_table(tmp_path / "a.csv")
    drafts = [init(source, tmp_path / name) for name in ("one.yaml", "two.yaml")]
    assert [draft.is_other_schema for draft in drafts] == [False, False]


def test_length_is_what_the_model_takes(tmp_path: Path, tiny_model: Path) -> None:
    rows = [{"text": "word " * 200 + str(i), "label": i % 2} for i in range(20)]
    draft = init(write_jsonl(tmp_path / "a.jsonl", rows), tmp_path / "study.yaml", model=str(tiny_model))
    assert (draft.settings.max_length, draft.settings.cuts_texts) == (64, True)


def test_answers_get_a_causal_model(tmp_path: Path) -> None:
    rows = [{"prompt": f"what is {i} of it?", "response": f"that is {i} of it"} for i in range(30)]
    draft = init(write_jsonl(tmp_path / "a.jsonl", rows), tmp_path / "study.yaml")
    assert (draft.model, draft.chose_model) == ("bigscience/bloom-560m", True)
    assert load_study(tmp_path / "study.yaml").task == "instruction"


def test_nothing_is_written_of_data_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        init(tmp_path / "none.csv", tmp_path / "study.yaml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_in_the_place_of_the_schema_stays(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "study.schema.json"
    if kind == "folder":
        target.mkdir()
    else:
        os.mkfifo(target)
    assert init(write_table(tmp_path / "a.csv"), tmp_path / "study.yaml").is_other_schema
    assert (tmp_path / "study.yaml").is_file()
    assert not target.is_file()


def test_a_name_that_no_file_can_have_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    source = write_table(tmp_path / "a.csv")
    with pytest.raises(OutputError, match="too long"):
        init(source, tmp_path / ("a" * 300))
    (tmp_path / "link").symlink_to("nowhere/there")
    with pytest.raises(OutputError, match="already exists"):
        init(source, tmp_path / "link")
    assert {file.name for file in tmp_path.iterdir()} == {"a.csv", "link"}


def test_force_renews_the_study_and_its_schema(tmp_path: Path) -> None:
    for name in ("study.yaml", SCHEMA_FILE):
        (tmp_path / name).write_text("mine", encoding="utf-8")
    draft = init(write_table(tmp_path / "a.csv"), tmp_path / "study.yaml", force=True)
    assert not draft.is_other_schema
    assert load_study(tmp_path / "study.yaml").data.label == "stars"
    assert json.loads((tmp_path / SCHEMA_FILE).read_text("utf-8")) == schema()


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,label\n" + "good film,a\nbad film,b\n" * 20, encoding="utf-8")
    with pytest.raises(ModelError, match="no such folder"):
        init(tmp_path / "data.csv", tmp_path / "study.yaml", model=str(tmp_path / "nope"))
    assert not (tmp_path / "study.yaml").exists()
