"""Groups of test examples through the command line: planned, written beside predictions, and compared by."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from conftest import BAD, GOOD, review
from headstart.cli import main
from old_folders import forget_digests
from stages_told import drop_stages

StudyIn = Callable[..., Path]
#: Twelve films with two reviews each; the last review is a copy of the first, so their films are one group.
FILMS = [f"film {i // 2}" for i in range(24)]
GROUPS = [0, 0, *(i // 2 for i in range(2, 22)), 0, 0]
SOURCE = "column group and identical texts"


def write_csv(file: Path, rows: list[dict[str, Any]]) -> str:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(file)


def write_data(folder: Path) -> dict[str, str]:
    """Files of train, valid and test; only the test's has a column `group`."""
    rows = [
        {"text": review(i, (BAD, GOOD)[i % 2]), "label": ("bad", "good")[i % 2], "group": FILMS[i % 24]}
        for i in range(104)
    ]
    test = rows[80:]
    test[-1]["text"] = "  " + str(test[0]["text"]).replace(" ", "  ")
    plain = [{"text": row["text"], "label": row["label"]} for row in rows]
    return {
        "train": write_csv(folder / "train.csv", plain[:60]),
        "valid": write_csv(folder / "valid.csv", plain[60:80]),
        "test": write_csv(folder / "test.csv", test),
    }


@pytest.fixture(scope="module")
def done(study_in: StudyIn, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The study file of three seeds of two arms that were run, and what `run` printed."""
    folder = tmp_path_factory.mktemp("grouped")
    arms = {"pretrained": {}, "words": {"method": "bag-of-words"}}
    # A rate that leaves arms unequal: without differences there is no interval.
    training = {"epochs": 1, "batch_size": 8, "learning_rate": 3e-4, "precision": "fp32"}
    file = study_in(folder, data=write_data(folder), arms=arms, seeds=[0, 1, 2], training=training)
    return file, capture(["run", str(file)])


def capture(words: list[str]) -> str:
    """What a command prints; it must end well."""
    from contextlib import redirect_stdout
    from io import StringIO

    with redirect_stdout(StringIO()) as stream:
        assert main(words) == 0
    return " ".join(stream.getvalue().split())


def compare(folder: Path) -> dict[str, Any]:
    """The one contrast of a folder, as `compare --json` gives it."""
    (row,) = json.loads(capture(["compare", str(folder), "--json"]))["contrasts"]
    return dict(row)


def test_plan_says_how_many_groups_and_of_what(done: tuple[Path, str]) -> None:
    said = capture(["plan", str(done[0])])
    assert f"texts: 60 train, 20 valid, 24 test in 11 groups ({SOURCE})" in said
    assert said.count("groups") == 1
    plan = json.loads(capture(["plan", str(done[0]), "--json"]))
    assert (plan["test_groups"], plan["group_source"]) == (11, SOURCE)


def test_each_runs_predictions_have_the_groups(done: tuple[Path, str]) -> None:
    files = sorted((done[0].parent / "out").glob("runs/*/*/*/predictions.parquet"))
    assert len(files) == 6
    for file in files:
        assert pq.read_table(file)["group"].to_pylist() == GROUPS


def test_run_says_that_its_intervals_are_over_groups(done: tuple[Path, str]) -> None:
    assert "3 seeds and 24 test examples in 11 groups" in done[1]
    results = json.loads((done[0].parent / "out" / "results.json").read_text(encoding="utf-8"))
    assert {(row["test_examples"], row["test_groups"]) for row in results["contrasts"]} == {(24, 11)}


def test_compare_finds_the_groups_in_the_folder(done: tuple[Path, str]) -> None:
    out = done[0].parent / "out"
    row = compare(out)
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    (same,) = [contrast for contrast in results["contrasts"] if contrast["metric"] == "accuracy"]
    assert row == same
    assert "11 groups" in capture(["compare", str(out)])


def test_groups_decide_the_interval_and_nothing_else(done: tuple[Path, str], tmp_path: Path) -> None:
    """A folder of an earlier version has no groups: it is read, and its examples count one by one."""
    out = done[0].parent / "out"
    old = tmp_path / "old"
    shutil.copytree(out, old)
    forget_digests(old)
    for file in old.glob("runs/*/*/*/predictions.parquet"):
        pq.write_table(pq.read_table(file).drop_columns("group"), file)
    grouped, plain = compare(out), compare(old)
    assert (plain["test_groups"], plain["test_examples"]) == (None, 24)
    assert plain["difference"] == grouped["difference"]
    assert plain["low"] != grouped["low"]


def test_a_folder_where_some_runs_have_no_groups_takes_those_of_the_others(
    done: tuple[Path, str], tmp_path: Path
) -> None:
    out = done[0].parent / "out"
    mixed = tmp_path / "mixed"
    shutil.copytree(out, mixed)
    forget_digests(mixed)
    file = mixed / "runs/words/all/0/predictions.parquet"
    pq.write_table(pq.read_table(file).drop_columns("group"), file)
    assert compare(mixed) == compare(out)


def test_two_folders_with_other_groups_are_joined_and_told(done: tuple[Path, str], tmp_path: Path) -> None:
    out = done[0].parent / "out"
    other = tmp_path / "other"
    shutil.copytree(out, other)
    forget_digests(other)
    for file in other.glob("runs/*/*/*/predictions.parquet"):
        table = pq.read_table(file)
        place = table.column_names.index("group")
        halves = np.arange(24) // 4  # two films each; the last of them holds the copy of the first
        pq.write_table(table.set_column(place, "group", [halves]), file)
    said = capture(["compare", str(out), str(other), "--all"])
    assert "group the same test examples differently: groups that share an example are merged" in said
    rows = json.loads(capture(["compare", str(out), str(other), "--json"]))["contrasts"]
    assert {row["test_groups"] for row in rows} == {5}
    assert "are joined" not in capture(["compare", str(out), str(out)])


def test_a_group_column_that_is_missing_is_named_with_file_and_key(
    study_in: StudyIn, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path)
    file = study_in(tmp_path, data=data | {"group": "film"})
    assert main(["run", str(file)]) == 2
    out, message = capfd.readouterr()
    assert out == ""
    assert drop_stages(message) == (
        f"error: {data['test']}:2: no column 'film'\n"
        "  expected: one of the columns: text, label, group\n"
        "  fix: set data.group\n"
    )
    assert not (tmp_path / "out").exists()


def test_data_group_is_part_of_what_a_folder_holds(
    done: tuple[Path, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(done[0]), "data.group=null"]) == 2
    assert "data.group was auto, is None" in capfd.readouterr().err


def test_a_language_models_tokens_and_answers_have_groups(tiny_bloom: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"say {i}", "response": "ab"[i % 2], "film": i // 3} for i in range(24)]
    rows[-1] |= {"prompt": "say 12", "response": "a"}
    files = {}
    for part, some in (("train", rows[:8]), ("valid", rows[8:12]), ("test", rows[12:])):
        files[part] = str(tmp_path / f"{part}.jsonl")
        text = "".join(json.dumps(row) + "\n" for row in some)
        Path(files[part]).write_text(text, encoding="utf-8")
    study = {
        "task": "instruction",
        "data": files | {"group": "film"},
        "model": str(tiny_bloom),
        "arms": {"base": {"method": "none"}},
        "seeds": [0],
        "training": {"precision": "fp32"},
        "generation": {"max_new_tokens": 2, "texts": 7},
        "workers": 0,
        "device": "cpu",
        "out": str(tmp_path / "out"),
    }
    with (tmp_path / "study.yaml").open("w", encoding="utf-8") as stream:
        YAML().dump(study, stream)
    capture(["run", str(tmp_path / "study.yaml")])
    folder = tmp_path / "out/runs/base/all/0"
    expected = [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0]
    assert pq.read_table(folder / "tokens.parquet")["group"].to_pylist() == expected
    assert pq.read_table(folder / "predictions.parquet")["group"].to_pylist() == expected[:7]
