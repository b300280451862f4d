"""Texts, files and standard input are labelled alike, and shown as a line, a table or JSON."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headstart.cli import main
from headstart.commands.predict import predict
from headstart.commands.predict_texts import predict_texts
from headstart.errors import DataError
from headstart.report.predict import render_predictions

TEXTS = ["a good film", "a dull story"]


@pytest.fixture
def expected(tiny_model: Path, tmp_path: Path) -> list[dict[str, Any]]:
    """What `predict` writes of the texts in a file."""
    file = write_texts(tmp_path)
    predict(tiny_model, file, tmp_path / "expected.jsonl")
    return [json.loads(line) for line in (tmp_path / "expected.jsonl").read_text("utf-8").splitlines()]


def write_texts(folder: Path) -> Path:
    file = folder / "in.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    return file


def pipe(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = SimpleNamespace(buffer=io.BytesIO(content.encode()), closed=False, isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stream)


@pytest.mark.parametrize("way", ["words", "file", "lines", "jsonl"])
def test_all_ways_in_give_the_same(
    way: str,
    tiny_model: Path,
    tmp_path: Path,
    expected: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = write_texts(tmp_path)
    words = {"words": TEXTS, "file": [str(file)], "lines": [], "jsonl": ["-", "--format", "jsonl"]}[way]
    pipe(file.read_text("utf-8") if way == "jsonl" else "\n".join(TEXTS), monkeypatch)
    assert main(["predict", str(tiny_model), *words, "--json"]) == 0
    out, err = capfd.readouterr()
    found = json.loads(out)
    assert found["schema_version"] == 2
    assert err == ""
    for one, row in zip(found["predictions"], expected, strict=True):
        assert (one["text"], one["predicted"]) == (row["text"], row["predicted"])
        for name, probability in one["probabilities"].items():
            assert probability == pytest.approx(row[f"p_{name}"], abs=1e-4)


def test_lines_in_a_pipe(
    tiny_model: Path, expected: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(tiny_model), *TEXTS]) == 0
    lines = [line.split("\t") for line in capfd.readouterr().out.splitlines()]
    assert [(first, last) for first, _, last in lines] == [
        (row["predicted"], row["text"]) for row in expected
    ]
    assert all(share.endswith("%") and float(share[:-1]) >= 50 for _, share, _ in lines)


def test_a_table_on_a_terminal(tiny_model: Path) -> None:
    from rich.console import Console

    shown = Console(width=60, record=True, file=io.StringIO())
    shown.print(render_predictions(predict_texts(tiny_model, ["long " * 30, TEXTS[0]]).predictions))
    text = shown.export_text()
    assert max(map(len, text.splitlines())) <= 60
    assert all(word in text for word in ("predicted", "probability", "LABEL_", "long long", TEXTS[0]))
    shown.print(render_predictions(predict_texts(tiny_model, TEXTS[:1]).predictions))
    assert {line.split()[0] for line in shown.export_text().splitlines()} == {"LABEL_0", "LABEL_1"}


@pytest.mark.parametrize(
    ("text", "message"), [(" ", "is empty"), ("\ud83d", "an unpaired surrogate in the text")]
)
def test_texts_that_are_none(tiny_model: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        predict_texts(tiny_model, ["good", text])
    assert error.value.where == "text 2"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.csv"], "missing.csv: no such file or folder"),
        (["a text", "-o", "out.csv"], "--output: out.csv: not used here: the input is texts, not a file"),
        (["a text", "--text", "body"], "--text: body: not used here"),
        (["a text", "missing.csv"], "a file, missing.csv, among 2 inputs"),
    ],
)
def test_what_does_not_go_together(
    words: list[str], message: str, tiny_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(tiny_model), *words]) == 2
    out, told = capfd.readouterr()
    assert out == ""
    assert message in told


def test_a_file_that_is_written_is_told_in_json(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(tiny_model), str(write_texts(tmp_path)), "-o", str(tmp_path / "out.jsonl")]
    assert main([*words, "--json"]) == 0
    out = capfd.readouterr().out
    assert json.loads(out) == {
        "schema_version": 2,
        "model": str(tiny_model),
        "output": str(tmp_path / "out.jsonl"),
        "rows": 2,
    }
    assert main(words) == 2
    assert "out.jsonl: already exists" in capfd.readouterr().err
    assert main([*words, "--force"]) == 0
