"""The command line: any words end in an exit code and a sentence, never in a traceback or a question."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzing import TALLY, check_shown, is_unlimited, limit_growth, limit_seconds, list_files, own_folder
from headstart.cli import main
from odd_values import texts

COMMANDS = ("init", "plan", "predict", "generate", "export", "compare", "judge", "power", "params", "explain")
OPTIONS = (
    *(
        "--json",
        "--help",
        "-o",
        "--output",
        "--text",
        "--label",
        "--model",
        "--metric",
        "--control",
        "--margin",
    ),
    *("--gate", "--arm", "--seed", "--markdown", "--latex", "--task", "--shared-items", "--read", "--size"),
    *("--test-examples", "--difference", "--seeds", "--accuracy", "--disagree", "--omit", "--lora", "--bits"),
    *(
        "--head",
        "--labels",
        "--separator",
        "--merge",
        "--adapter",
        "--force",
        "--format",
        "-q",
        "-h",
        "--probe",
        "--version",
        "--until-decided",
        "--examples",
    ),
)
VALUES = (
    "a.csv",
    "study.yaml",
    "lora",
    "r=8",
    "0",
    "1",
    "1e999",
    "nan",
    "-1",
    "out.csv",
    ".",
    "seeds=3",
    "x=y",
)
FILES = {
    "a.csv": "arm,seed,accuracy,text,label\nrandom,0,0.5,a text,good\ntuned,0,0.75,a film,bad\n",
    "study.yaml": "data: {path: a.csv}\nmodel: ./nowhere\nseeds: 1\n",
}


def words() -> st.SearchStrategy[list[str]]:
    """A command, and words that may follow it."""
    word = st.one_of(st.sampled_from(OPTIONS), st.sampled_from(VALUES), st.sampled_from(VALUES), texts())
    command = st.one_of(st.sampled_from(COMMANDS), st.sampled_from(("schema", "--help", "nothing")))
    return st.tuples(command, st.lists(word, max_size=5)).map(lambda drawn: [drawn[0], *drawn[1]])


def call(arguments: list[str], folder: Path) -> tuple[int, str, str]:
    """The exit code of a command in a folder of small files, and what it printed."""
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")
    TALLY.examples += 1
    before = Path.cwd()
    out, err = io.StringIO(), io.StringIO()
    os.chdir(folder)
    try:
        with redirect_stdout(out), redirect_stderr(err), limit_seconds(), limit_growth():
            code = main(arguments)
    finally:
        os.chdir(before)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True, scope="module")
def _no_questions() -> object:
    """Whoever asks a person something gets an error."""
    with patch("builtins.input", side_effect=AssertionError("asked a question")):
        yield


@settings(max_examples=200 if is_unlimited() else 20)
@given(words())
def test_any_words(arguments: list[str]) -> None:
    with own_folder() as folder:
        code, out, err = call(arguments, folder)
        assert code in (0, 1, 2, 3, 4), code
        assert "Traceback" not in err
        check_shown(out)
        check_shown(err)
        assert code == 0 or (out + err).strip()
        if code == 2:  # refused
            TALLY.refused += 1
            assert list_files(folder) == FILES.keys()
