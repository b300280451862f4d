"""JSON rows that break readers: a row that can be read is read, any other is one DataError with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headstart.analysis.score_files import read_score_file
from headstart.config.load import load_study
from headstart.data.checks import load_corpus
from headstart.errors import DataError

ROWS = [json.dumps({"text": f"text {i}", "label": "ab"[i % 2], "x": i % 3, "y": i / 7}) for i in range(40)]
SCORES = [json.dumps({"arm": arm, "seed": seed, "accuracy": 0.5}) for arm in "ab" for seed in range(2)]


def write(path: Path, rows: list[str], hostile: str) -> Path:
    path.write_text("\n".join([*rows, hostile]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("cells", "task", "said"),
    [
        ('"label":"a","x":' + "9" * 5000, "classification", "a whole number of 5,000 digits"),
        ('"label":"a","x":' + "[" * 100_000 + "]" * 100_000, "classification", "more than 200 deep"),
        ('"label":"a\\ud800"', "classification", "an unpaired surrogate in column 'label'"),
        ('"label":["a\\ud800"]', "multi-label", "an unpaired surrogate in column 'label'"),
        ('"label":"a","label":"b"', "classification", "key 'label' appears twice"),
        ('"label":1' + "0" * 390, "regression", "a finite number"),
        ('"label":1e400', "regression", "a finite number"),
        ('"label":NaN', "regression", "a finite number"),
        ('"label":' + "[" * 150 + "]" * 150, "classification", "contains several"),
    ],
)
def test_a_row_is_refused_with_its_line(tmp_path: Path, cells: str, task: str, said: str) -> None:
    rows = [row.replace('"label": "a"', '"label": 1').replace('"label": "b"', '"label": 2') for row in ROWS]
    file = write(tmp_path / "d.jsonl", rows if task == "regression" else ROWS, f'{{"text":"t",{cells}}}')
    with pytest.raises(DataError) as caught:
        load_corpus(load_study({"data": {"path": str(file)}, "model": "m", "task": task}))
    assert f"{file}:41: " in str(caught.value)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("cells", ['"x":"\\ud800"', '"x\\ud800":1', '"x":NaN', '"x":18446744073709551616'])
def test_columns_that_nobody_reads_may_hold_anything(tmp_path: Path, cells: str) -> None:
    file = write(tmp_path / "d.jsonl", ROWS, f'{{"text":"t","label":"a",{cells}}}')
    corpus = load_corpus(load_study({"data": {"path": str(file)}, "model": "m"}))
    assert corpus.label_names == ("a", "b")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ('"seed":' + "9" * 5000 + ',"accuracy":0.5', "a whole number of 5,000 digits"),
        ('"seed":"' + "9" * 5000 + '","accuracy":0.5', "seed '999"),
        ('"seed":' + "9" * 300 + ',"accuracy":0.5', "seed 999"),
        ('"seed":7,"size":"' + "9" * 5000 + '","accuracy":0.5', "size '999"),
        ('"seed":7,"accuracy":1e400', "score inf"),
        ('"seed":7,"accuracy":NaN', "score nan"),
        ('"seed":7,"accuracy":1' + "0" * 390, "score 1000"),
        ('"seed":7,"accuracy":' + "[" * 5000 + "]" * 5000, "more than 200 deep"),
    ],
)
def test_so_is_a_score(tmp_path: Path, cells: str, said: str) -> None:
    file = write(tmp_path / "s.jsonl", SCORES, f'{{"arm":"a",{cells}}}')
    with pytest.raises(DataError) as caught:
        read_score_file(file, None)
    assert f"{file}:5: " in str(caught.value)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000
