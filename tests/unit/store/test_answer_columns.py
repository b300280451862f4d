"""Answers on disk: what each is worth stands beside it, and is the same where a file does not have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sacrebleu.metrics import CHRF

from headstart.errors import OutputError
from headstart.store.answer_columns import make_answer_columns, read_answered_prompts
from headstart.store.prediction_tables import Predictions
from headstart.store.prediction_writer import make_example_columns, write_table
from headstart.store.predictions import PREDICTIONS_FILE, read_predictions

ANSWERS = ("bbb", "", "a long answer", "東京")
REFERENCES = ("bbb", "nothing", "a longer one", "東京都")


def write(folder: Path, groups: np.ndarray | None = None) -> Path:
    columns = make_example_columns([4, 5, 6, 7], groups) | make_answer_columns(
        earlier=["", "user: hi\nassistant: hello", "", ""],
        prompts=["say b", "and?", "p", "q"],
        references=REFERENCES,
        answers=ANSWERS,
        stopped=[True, False, True, True],
    )
    write_table(folder / PREDICTIONS_FILE, columns)
    return folder / PREDICTIONS_FILE


def read(folder: Path, metric: str = "chrf") -> Predictions:
    predictions = read_predictions(folder, metric)
    assert predictions is not None
    return predictions


def test_each_answer_has_its_measures(tmp_path: Path) -> None:
    rows = pq.read_table(write(tmp_path)).to_pylist()
    assert [row["exact_match"] for row in rows] == [True, False, False, False]
    expected = [CHRF().sentence_score(a, [b]).score for a, b in zip(ANSWERS, REFERENCES, strict=True)]
    assert [row["chrf"] for row in rows] == pytest.approx(expected)
    assert [row["token_f1"] for row in rows] == pytest.approx([1, 0, 0, 0])
    assert {len(row["chrf_counts"]) for row in rows} == {18}


def test_a_file_of_an_earlier_version_tells_the_same(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    table = pq.read_table(write(new))
    old.mkdir()
    early = ["id", "prompt", "response", "answer", "stopped"]
    pq.write_table(table.select(early), old / PREDICTIONS_FILE)
    mine, theirs = read(new), read(old)
    assert mine.digest == theirs.digest
    assert mine.answers is not None
    assert theirs.answers is not None
    for name in ("exact_match", "chrf_counts", "token_f1", "chrf"):
        assert np.array_equal(getattr(mine.answers, name), getattr(theirs.answers, name))
    assert read_answered_prompts(old / PREDICTIONS_FILE).earlier == ("", "", "", "")


def test_texts_are_read_back(tmp_path: Path) -> None:
    found = read_answered_prompts(write(tmp_path, np.array([0, 0, 1, 2])))
    assert found.ids == (4, 5, 6, 7)
    assert found.groups == (0, 0, 1, 2)
    assert found.earlier[1] == "user: hi\nassistant: hello"
    assert (found.answers, found.references) == (ANSWERS, REFERENCES)


def test_a_file_without_answers_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path / PREDICTIONS_FILE, make_example_columns([1], None))
    with pytest.raises(OutputError, match="answers cannot be read"):
        read_answered_prompts(tmp_path / PREDICTIONS_FILE)
