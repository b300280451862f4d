"""Test examples are grouped by the column that a study means, and where they are equal; by no other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headstart.config.study import Study
from headstart.data.checks import load_corpus
from headstart.data.corpus import Corpus
from headstart.errors import DataError

TRAIN = [{"text": "good", "label": 1}, {"text": "bad", "label": 0}]
Cells = Mapping[str, Any]


def write(file: Path, rows: Sequence[Cells]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def study(folder: Path, test: Sequence[Cells], *, train: Sequence[Cells] = TRAIN, **data: Any) -> Study:
    rows = {"train": train, "valid": train[:2], "test": test}
    files = {part: write(folder / f"{part}.jsonl", part_rows) for part, part_rows in rows.items()}
    more = data.pop("study", {})
    return Study.model_validate({"data": files | data, "model": "m"} | more)


def corpus(folder: Path, test: Sequence[Cells], **more: Any) -> Corpus:
    return load_corpus(study(folder, test, **more))


def groups(loaded: Corpus) -> list[int] | None:
    numbers = loaded.parts["test"].groups
    return None if numbers is None else numbers.tolist()


def warnings(loaded: Corpus) -> list[str]:
    return [warning.message for warning in loaded.warnings if warning.kind == "groups"]


def lines(*names: object, column: str = "group", **more: Any) -> list[dict[str, Any]]:
    """Different test examples of these groups."""
    return [{"text": f"text {i}", "label": i % 2, column: name, **more} for i, name in enumerate(names)]


def test_a_column_named_group_is_found(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, lines("a", "b", "a", "c"))
    assert (groups(loaded), loaded.group_source) == ([0, 1, 0, 2], "column group")
    assert loaded.parts["train"].groups is None


@pytest.mark.parametrize("missing", [None, "", " ", float("nan")])
def test_a_text_without_a_group_is_its_own(tmp_path: Path, missing: object) -> None:
    assert groups(corpus(tmp_path, lines("a", missing, "a", missing))) == [0, 1, 0, 2]


def test_a_row_may_lack_the_column_that_was_found(tmp_path: Path) -> None:
    test = [*lines("a", "a"), {"text": "other", "label": 1}]
    assert groups(corpus(tmp_path, test)) == [0, 0, 1]


def test_numbers_name_groups_too(tmp_path: Path) -> None:
    assert groups(corpus(tmp_path, lines(7, 8, 7))) == [0, 1, 0]


def test_the_column_is_the_one_that_the_study_names(tmp_path: Path) -> None:
    test = lines("a", "b", "a", column="film", group="one of a kind")
    loaded = corpus(tmp_path, test, group="film")
    assert (groups(loaded), loaded.group_source) == ([0, 1, 0], "column film")


def test_a_named_column_that_is_missing_is_told_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        corpus(tmp_path, lines("a", "b"), group="film")
    error = caught.value
    assert (error.got, error.where) == ("no column 'film'", f"{tmp_path}/test.jsonl:1")
    assert (error.expected, error.fix) == (
        "one of the columns: text, label, group",
        "set data.group",
    )


def test_the_divisions_column_is_taken_where_none_is_named(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": i % 2, "film": f"film {i // 5}"} for i in range(200)]
    path = write(tmp_path / "all.jsonl", rows)
    data = {"path": path, "split": {"group": "film", "valid": 0.2, "test": 0.3}}
    loaded = load_corpus(Study.model_validate({"data": data, "model": "m"}))
    films = [rows[i]["film"] for i in loaded.parts["test"].ids]
    numbers = groups(loaded)
    assert numbers is not None
    assert len(set(zip(films, numbers, strict=True))) == len(set(films)) == len(set(numbers)) == 12
    assert loaded.group_source == "column film"


def test_texts_that_are_split_by_row_may_have_groups(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": i % 2, "group": i % 40} for i in range(200)]
    data = {"path": write(tmp_path / "all.jsonl", rows)}
    loaded = load_corpus(Study.model_validate({"data": data, "model": "m"}))
    numbers = groups(loaded)
    assert numbers is not None
    assert len(set(numbers)) == len({i % 40 for i in loaded.parts["test"].ids})


def test_a_label_in_a_column_named_group_is_no_group(tmp_path: Path) -> None:
    train = [{"text": "good", "group": "x"}, {"text": "bad", "group": "y"}]
    test = [{"text": f"text {i}", "group": "xy"[i % 2]} for i in range(6)]
    loaded = corpus(tmp_path, test, train=train, label="group")
    assert groups(loaded) is None
    assert loaded.label_names == ("x", "y")


def test_equal_texts_are_one_group_whatever_their_spaces_and_labels(tmp_path: Path) -> None:
    test = [{"text": text, "label": i % 2} for i, text in enumerate(["a b", "c", "a  b ", "d", "c"])]
    loaded = corpus(tmp_path, test)
    assert (groups(loaded), loaded.group_source) == ([0, 1, 0, 2, 1], "identical texts")


def test_groups_that_share_a_text_are_joined(tmp_path: Path) -> None:
    test = lines("a", "a", "b", "b", "c")
    test[2]["text"] = test[1]["text"]
    loaded = corpus(tmp_path, test)
    assert (groups(loaded), loaded.group_source) == ([0, 0, 0, 0, 1], "column group and identical texts")


def test_repeats_within_a_group_are_not_named(tmp_path: Path) -> None:
    test = lines("a", "a", "b")
    test[1]["text"] = test[0]["text"]
    loaded = corpus(tmp_path, test)
    assert (groups(loaded), loaded.group_source) == ([0, 0, 1], "column group")


@pytest.mark.parametrize(("value", "expected"), [("identical", [0, 1, 0, 2]), (None, None)])
def test_there_are_ways_out(tmp_path: Path, value: str | None, expected: list[int] | None) -> None:
    test = lines("a", "a", "b", "b")
    test[2]["text"] = test[0]["text"]
    assert groups(corpus(tmp_path, test, group=value)) == expected


def test_one_value_that_nobody_named_is_no_group(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, lines(*["test"] * 12))
    assert groups(loaded) is None
    assert warnings(loaded) == [
        "column group has one value in all test examples, so it is not used to group them"
    ]


def test_one_value_of_a_named_column_is_one_group(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, lines(*["Ida"] * 12, column="film"), group="film")
    assert groups(loaded) == [0] * 12
    (message,) = warnings(loaded)
    assert message.startswith(
        "all test examples are in one group (column film): intervals hold for this test"
    )


@pytest.mark.parametrize(("n_groups", "is_few"), [(9, True), (10, False)])
def test_few_groups_are_warned_of(tmp_path: Path, n_groups: int, is_few: bool) -> None:
    loaded = corpus(tmp_path, lines(*(i % n_groups for i in range(60))))
    expected = (
        f"all test examples are in {n_groups} groups (column group): intervals over so few are uncertain; if "
        "this is not how test examples are grouped, set data.group to another column, or to null"
    )
    assert warnings(loaded) == ([expected] if is_few else [])


def test_few_texts_are_no_few_groups(tmp_path: Path) -> None:
    assert warnings(corpus(tmp_path, lines("a", "b", "a"))) == []


def test_pairs_are_equal_where_both_texts_are(tmp_path: Path) -> None:
    def row(p: str, q: str) -> dict[str, Any]:
        return {"p": p, "q": q, "label": len(q) % 2}

    train = [row("x", "y"), row("x", "yy")]
    test = [row("a", "b"), row("a", "c"), row("a ", "b"), row("b", "a")]
    assert groups(corpus(tmp_path, test, train=train, text=["p", "q"])) == [0, 1, 0, 2]


def test_conversations_have_groups(tmp_path: Path) -> None:
    def row(prompt: str, response: str, group: object = None) -> dict[str, Any]:
        return {"prompt": prompt, "response": response, "group": group}

    train = [row("p", "r"), row("q", "s")]
    test = [row("a", "b", 1), row("a", "c"), row("d", "e", 1), row("a", "c")]
    study = {"task": "instruction", "arms": {"tuned": {"method": "lora"}}}
    assert groups(corpus(tmp_path, test, train=train, study=study)) == [0, 1, 0, 1]


@pytest.mark.parametrize("task", ["multi-label", "regression"])
def test_other_tasks_have_groups(tmp_path: Path, task: str) -> None:
    assert groups(corpus(tmp_path, lines("a", "b", "a"), study={"task": task})) == [0, 1, 0]


def test_parallel_files_may_have_one_of_groups(tmp_path: Path) -> None:
    files = {
        "train": {"text": "good\nbad\n", "label": "1\n0\n"},
        "test": {"text": "a\nb\nc\n", "label": "1\n0\n1\n", "group": "x\ny\nx\n"},
    }
    for part, columns in files.items():
        for column, text in columns.items():
            (tmp_path / f"{part}.{column}").write_text(text, encoding="utf-8")
    stems = {"train": "train", "valid": "train", "test": "test"}
    data = {part: str(tmp_path / stem) for part, stem in stems.items()}
    assert groups(load_corpus(Study.model_validate({"data": data, "model": "m"}))) == [0, 1, 0]
    with pytest.raises(DataError, match=r"parallel files test\.text \+ test\.label \+ test\.film"):
        load_corpus(Study.model_validate({"data": data | {"group": "film"}, "model": "m"}))


def test_hub_data_have_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    (tmp_path / "ds").mkdir()
    for part in ("train", "validation", "test"):
        rows = "".join(f"{part} {i},{i % 2},{i // 2}\n" for i in range(6))
        (tmp_path / "ds" / f"{part}.csv").write_text(f"text,label,group\n{rows}", encoding="utf-8")
    loaded = load_corpus(Study.model_validate({"data": {"hub": str(tmp_path / "ds")}, "model": "m"}))
    assert groups(loaded) == [0, 0, 1, 1, 2, 2]


def test_groups_go_where_their_texts_go(tmp_path: Path) -> None:
    selected = corpus(tmp_path, lines("a", "b", "a")).parts["test"].select(np.array([2, 1]))
    assert selected.groups is not None
    assert selected.groups.tolist() == [0, 1]


def leaks(loaded: Corpus) -> list[str]:
    return [warning.message for warning in loaded.warnings if warning.kind == "group-leak"]


def test_groups_that_train_has_too_are_warned_of(tmp_path: Path) -> None:
    train = [{"text": "good", "label": 1, "group": "a"}, {"text": "bad", "label": 0, "group": "b"}]
    loaded = corpus(tmp_path, lines("a", "b", "c", "b"), train=train)
    assert leaks(loaded)[1:] == [
        "2 groups of test, such as a, by column group are also in train, with 3 texts of test (75.0%): "
        "scores may be higher than for new groups; remove their texts from test or from train"
    ]
    assert leaks(corpus(tmp_path, lines("c", "d"), train=train))[1:] == []
    assert leaks(corpus(tmp_path, lines("a", "b"))) == []  # train has no such column


def test_groups_divided_by_chance_are_told_of_the_key_that_keeps_them_whole(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": i % 2, "author": f"n{i // 2 % 15}"} for i in range(60)]
    file = write(tmp_path / "all.jsonl", rows)
    values = {"data": {"path": file, "group": "author"}, "model": "m"}
    first = leaks(load_corpus(Study.model_validate(values)))[0]
    assert "groups of valid, such as n" in first
    assert first.endswith("set data.split.group: author, so that no group stands in two parts")
    values = {"data": {"path": file, "group": "author", "split": {"group": "author"}}, "model": "m"}
    assert leaks(load_corpus(Study.model_validate(values))) == []
