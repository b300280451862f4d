"""Files as people have them, through the command line: read as they are meant, or refused in one sentence."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.cli import main
from stages_told import drop_stages

StudyFile = Callable[..., Path]
Run = Callable[..., str]
NAMES = ["drama", "crime", "war"]


@pytest.fixture
def ran(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line, which must end with `code` and without a traceback; gives all that it said."""

    def run(*words: object, code: int = 0) -> str:
        capfd.readouterr()
        found = main([str(word) for word in words])
        out, message = capfd.readouterr()
        assert found == code, message
        assert "Traceback" not in message
        assert code == 0 or (out == "" and message.count("error:") == 1)
        return " ".join((out + drop_stages(message)).split())

    return run


@pytest.fixture
def planned(ran: Run, study_file: StudyFile) -> Callable[..., dict[str, Any]]:
    """What `plan --json` says of these data."""

    def plan(data: dict[str, Any], **changes: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(ran("plan", "--json", study_file(data=data, **changes)))
        return found

    return plan


def films(count: int = 40) -> pd.DataFrame:
    """Invented texts with a class each, and a set of labels as 0 and 1."""
    draws = np.random.default_rng(0)
    texts = [f"the film {i} is good, really" for i in range(count)]
    hot = draws.integers(0, 2, (count, len(NAMES)))
    return pd.DataFrame({"text": texts, "label": ["pos", "neg"] * (count // 2), "hot": hot.tolist()})


def write_table(folder: Path, name: str, frame: pd.DataFrame) -> Path:
    """The table as pandas writes it."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Callable[[], object]] = {
        ".csv": lambda: frame.to_csv(file, index=False),
        ".tsv": lambda: frame.to_csv(file, index=False, sep="\t"),
        ".jsonl": lambda: frame.to_json(file, orient="records", lines=True),
        ".json": lambda: frame.to_json(file, orient="records", indent=1),
        ".parquet": lambda: frame.to_parquet(file),
    }
    writers[file.suffix]()
    return file


def count_labels(plan: dict[str, Any]) -> dict[str, int]:
    """Examples with each label in all parts together."""
    counts: dict[str, dict[str, int]] = plan["label_statistics"]["counts"]
    return {name: sum(by_part.values()) for name, by_part in counts.items()}


# Sets of labels


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".parquet"])
@pytest.mark.parametrize("label_names", [None, NAMES])
def test_places_of_zero_and_one_are_labels(
    planned: Callable[..., dict[str, Any]], tmp_path: Path, suffix: str, label_names: list[str] | None
) -> None:
    frame = films()
    file = write_table(tmp_path, f"films{suffix}", frame)
    data = {"path": str(file), "label": "hot", "label_names": label_names}
    expected = np.array(frame["hot"].tolist()).sum(0).tolist()
    names = label_names or ["0", "1", "2"]
    assert count_labels(planned(data, task="multi-label")) == dict(zip(names, expected, strict=True))


@pytest.mark.parametrize("write", [list, tuple, set, np.array, json.dumps, "|".join])
def test_cells_of_names_are_labels(
    planned: Callable[..., dict[str, Any]], tmp_path: Path, write: Callable[[list[str]], object]
) -> None:
    frame = films()
    sets = [[name for name, flag in zip(NAMES, row, strict=True) if flag] for row in frame["hot"]]
    frame["label"] = [write(names) if names else "" for names in sets]
    file = write_table(tmp_path, "films.csv", frame)
    found = count_labels(planned({"path": str(file)}, task="multi-label"))
    assert found == {name: sum(name in names for names in sets) for name in sorted(NAMES)}


@pytest.mark.parametrize("column", ["hot", "names"])
def test_lists_name_the_task_that_has_them(
    ran: Run, study_file: StudyFile, tmp_path: Path, column: str
) -> None:
    frame = films()
    frame["names"] = [str(["drama", "war"][: i % 3]) for i in range(len(frame))]
    file = write_table(tmp_path, "films.csv", frame)
    message = ran("plan", study_file(data={"path": str(file), "label": column}), code=2)
    assert "films.csv:2: label '[" in message
    assert "fix: set task: multi-label" in message


def test_commas_between_labels_are_asked_about(ran: Run, study_file: StudyFile, tmp_path: Path) -> None:
    frame = films().assign(label=["drama", "drama,war"] * 20)
    data = {"path": str(write_table(tmp_path, "films.csv", frame))}
    message = ran("plan", study_file(data=data, task="multi-label"), code=2)
    assert "films.csv:3: label 'drama,war', and 'drama' is in others too: separated by ','?" in message
    for separator, other in ((",", "war"), ("|", "drama,war")):
        study = study_file(data=data | {"label_separator": separator}, task="multi-label")
        assert f"multi-label, 2 labels: drama, {other}" in ran("plan", study)


# What plan says of labels


def test_labels_that_are_alike_are_warned_of(ran: Run, study_file: StudyFile, tmp_path: Path) -> None:
    frame = films().assign(label=["caf\u00e9", "cafe\u0301", "Pos", "pos "] * 10)
    said = ran("plan", study_file(data={"path": str(write_table(tmp_path, "a.csv", frame))}))
    assert "labels 'cafe\\u0301' and 'caf\\xe9' differ in Unicode encoding (normalization)" in said
    assert "labels 'Pos' and 'pos' differ in case" in said


def test_subset_of_one_class_is_said_and_trains(ran: Run, study_file: StudyFile, tmp_path: Path) -> None:
    """scikit-learn refuses to fit one class; a bag of words gives it then."""
    frame = films(60).assign(label=["rare" if i % 12 == 0 else "usual" for i in range(60)])
    for part, rows in {"train": frame[:40], "valid": frame[40:50], "test": frame[49:60]}.items():
        write_table(tmp_path, f"parts/{part}.jsonl", rows)
    study = study_file(
        data={"path": str(tmp_path / "parts")}, sizes=[2], arms={"words": {"method": "bag-of-words"}}, seeds=1
    )
    said = ran("plan", study)
    assert "size 2: in 1 of 1 seeds all training examples have the same label (seed 0: class 'usual')" in said
    ran("run", study)


def test_test_texts_of_one_class_are_said(ran: Run, study_file: StudyFile, tmp_path: Path) -> None:
    frame = films()
    data = {
        "train": str(write_table(tmp_path, "a.csv", frame[:30])),
        "valid": str(write_table(tmp_path, "b.csv", frame[30:])),
        "test": str(write_table(tmp_path, "c.csv", frame[30::2])),
    }
    assert "all 5 texts of test have class 'pos'" in ran("plan", study_file(data=data))


# Files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text,label,label\na,x,y\n", "a.csv:1: column 'label' appears twice in the header"),
        ("a.csv", b"text;label\na;x\n", "a.csv:1: one column, 'text;label': separated by ';'?"),
        ("a.csv", b'text,label\na,x\n"b,y\nc,x\n', "a.csv:3: not CSV: a quotation mark opens a cell here"),
        ("a.csv", "text,label\na,x\n".encode("utf-16"), "a.csv: UTF-16, by its byte-order mark"),
        ("a.csv", b"text,label\ra,x\r", "a.csv: lines end with a carriage return (CR) alone"),
        ("a.csv", b"text,label\na\0,x\n", "a.csv:2: a NUL byte"),
        ("a.csv", b"text,label\ncaf\xe9,x\n", "a.csv:2: byte 0xe9 is not UTF-8"),
        ("a.csv", b"text,label\n", "a.csv: no rows"),
        ("a.csv", b"", "a.csv: no rows"),
        (
            "a.csv",
            b"text,label\na,x\ntext,label\nb,y\n",
            "a.csv:3: the header again: two files concatenated?",
        ),
        ("a.csv", b"text,label\na,b,x\n", "a.csv:2: 3 cells, the header has 2"),
        ("a.jsonl", b'{"text": "a", "text": "b", "label": 1}\n', "a.jsonl:1: key 'text' appears twice"),
        ("a.csv.gz", b"\x1f\x8b", "a.csv.gz: unknown format .gz"),
        ("a.json", b'{\n "data": []}', "a.json:1: one JSON object over several lines"),
    ],
)
def test_files_that_are_refused(
    ran: Run, study_file: StudyFile, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert message in ran("plan", study_file(data={"path": str(tmp_path / name)}), code=2)


@pytest.mark.parametrize("separator", [";", "|", "\t"])
def test_separator_may_be_named(ran: Run, study_file: StudyFile, tmp_path: Path, separator: str) -> None:
    films().to_csv(tmp_path / "a.csv", sep=separator, index=False)
    data = {"path": str(tmp_path / "a.csv"), "separator": separator}
    assert "texts: 28 train, 4 valid, 8 test" in ran("plan", study_file(data=data))


@pytest.mark.parametrize("words", [["compare"], ["power", "--test-examples", "100"]])
def test_scores_with_semicolons_have_the_same_hint(ran: Run, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "scores.csv").write_text("arm;seed;accuracy\na;0;0,85\nb;0;0,9\n", encoding="utf-8")
    message = ran(*words, tmp_path / "scores.csv", code=2)
    assert "one column, 'arm;seed;accuracy': separated by ';'?" in message
    assert re.search(r"write it with commas: python -c .*csv.writer", message)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl", ".json"])
@pytest.mark.parametrize("below", ["", "data/"])
def test_folder_of_parts_is_read(
    planned: Callable[..., dict[str, Any]], tmp_path: Path, suffix: str, below: str
) -> None:
    frame = films(60)
    names = [
        "train-00000-of-00002",
        "train-00001-of-00002",
        "validation-00000-of-00001",
        "test-00000-of-00001",
    ]
    for name, start in zip(names, range(0, 60, 15), strict=True):
        write_table(tmp_path, f"films/{below}{name}{suffix}", frame[start : start + 15])
    (tmp_path / "films" / below / "._train-00000-of-00002.parquet").write_bytes(b"\0\5\x16\7Mac")
    folder = planned({"path": str(tmp_path / "films")})
    assert folder["texts"] == {"train": 30, "valid": 15, "test": 15}
    parts = tmp_path / "films" / below
    named = {
        part: str(parts / f"{name}-*{suffix}")
        for part, name in {"train": "train", "valid": "validation", "test": "test"}.items()
    }
    assert planned(named)["label_statistics"] == folder["label_statistics"]


def test_class_folders_of_a_mac_are_read(planned: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    for i, row in enumerate(films().itertuples()):
        (tmp_path / "films" / str(row.label)).mkdir(parents=True, exist_ok=True)
        (tmp_path / "films" / str(row.label) / f"{i}.txt").write_text(str(row.text), encoding="utf-8")
        (tmp_path / "films" / str(row.label) / f"._{i}.txt").write_bytes(b"\0\5\x16\7Mac\xb0")
    (tmp_path / "films" / "__MACOSX" / "pos").mkdir(parents=True)
    (tmp_path / "films" / "__MACOSX" / "pos" / "._1.txt").write_bytes(b"\0")
    assert count_labels(planned({"path": str(tmp_path / "films")})) == {"neg": 20, "pos": 20}


# Predictions


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
@pytest.mark.parametrize(
    ("labels", "kind"), [([1, 0], int), ([True, False], bool), ([0.5, 1.5], float), (["1", "0"], str)]
)
def test_predicted_labels_compare_with_those_of_the_data(
    ran: Run, study_file: StudyFile, tmp_path: Path, suffix: str, labels: list[Any], kind: type
) -> None:
    frame = films().assign(label=labels * 20).drop(columns="hot")
    file = write_table(tmp_path, f"films{suffix}", frame)
    ran("run", study_file(data={"path": str(file)}, arms={"full": {}, "words": None}, seeds=1))
    (model,) = (tmp_path / "out" / "models").iterdir()
    ran("predict", model, file, "-o", tmp_path / f"labelled{suffix}")
    if suffix == ".parquet":
        rows = pq.read_table(tmp_path / f"labelled{suffix}").to_pylist()
    else:
        text = (tmp_path / f"labelled{suffix}").read_text("utf-8")
        rows = json.loads(text) if suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    assert {type(row["predicted"]) for row in rows} == {kind}
    assert {row["predicted"] for row in rows} <= set(labels)
    assert [row["label"] for row in rows] == labels * 20


def test_predictions_keep_the_index_of_pandas(ran: Run, trained: Path, tmp_path: Path) -> None:
    frame = films()[["text"]].set_index(pd.Index(range(100, 140), name="id"))
    file = write_table(tmp_path, "films.parquet", frame)
    ran("predict", trained, file, "-o", tmp_path / "labelled.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "labelled.parquet")[["text"]], frame)
    assert pq.read_schema(tmp_path / "labelled.parquet").field("predicted").type == pa.string()


def test_predictions_keep_the_separator(ran: Run, trained: Path, tmp_path: Path) -> None:
    films()[["text"]].assign(n=1).to_csv(tmp_path / "films.csv", sep="\t", index=False)
    message = ran("predict", trained, tmp_path / "films.csv", "-o", tmp_path / "o.csv", code=2)
    assert "separated by tabs?" in message
    ran("predict", trained, tmp_path / "films.csv", "-o", tmp_path / "o.csv", "--separator", "\\t")
    assert list(pd.read_csv(tmp_path / "o.csv", sep="\t"))[:3] == ["text", "n", "predicted"]


@pytest.fixture
def trained(ran: Run, study_file: StudyFile, tmp_path: Path) -> Path:
    """The folder of a model of a small study."""
    ran("run", study_file(arms={"full": {}, "words": None}, seeds=1))
    (model,) = (tmp_path / "out" / "models").iterdir()
    return model


def _put_pipe(path: Path) -> str:
    os.mkfifo(path)
    return "is a named pipe, not a file"


def _put_device(path: Path) -> str:
    path.symlink_to("/dev/zero")
    return "is a device, not a file"


def _put_nothing(path: Path) -> str:
    path.symlink_to(path.parent / "absent")
    return "is a dangling link"


@pytest.mark.parametrize("put", [_put_pipe, _put_device, _put_nothing])
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".eval"])
@pytest.mark.parametrize(
    "words",
    [
        "init FILE -o new.yaml",
        "predict MODEL FILE -o out",
        "compare FILE",
        "power FILE --test-examples 9",
        "compare FILE FILE",
    ],
)
def test_what_is_no_file_is_never_opened(
    words: str, suffix: str, put: Callable[[Path], str], tiny_model: Path, tmp_path: Path, ran: Run
) -> None:
    file = tmp_path / f"data{suffix}"
    fault = put(file)
    if words.startswith(("compare", "power")) and put is _put_nothing:
        fault = "no such file or folder"
    given = {
        "FILE": file,
        "MODEL": tiny_model,
        "out": tmp_path / f"out{suffix}",
        "new.yaml": tmp_path / "new",
    }
    if "predict" in words and suffix == ".eval":
        fault = "unknown format"
    said = ran(*(given.get(word, word) for word in words.split()), code=2)
    assert fault in said


def test_neither_are_sheets_of_judges_and_templates(tmp_path: Path, study_file: StudyFile, ran: Run) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a named pipe, not a file" in ran("judge", tmp_path, "--read", tmp_path / "pipe", code=2)
    assert "is a named pipe, not a file" in ran("plan", tmp_path / "pipe", code=2)
    for part in ("train", "test"):
        os.mkfifo(tmp_path / f"{part}.csv")
        data = {
            "train": str(study_file().parent / "reviews/train.jsonl"),
            part: str(tmp_path / f"{part}.csv"),
        }
        assert "is a named pipe, not a file" in ran("plan", study_file(data=data), code=2)
