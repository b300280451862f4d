"""Words that nobody means, and terminals that are none: one message or the result, and never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import headstart
from headstart.cli import main

HUGE = "9" * 20
POWER = ["power", "--test-examples", "500"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["power", "--test-examples", HUGE], "--test-examples: a number of 20 digits"),
        ([*POWER, "--seeds", HUGE], "--seeds: a number of 20 digits"),
        ([*POWER, "--contrasts", HUGE], "--contrasts: a number of 20 digits"),
        ([*POWER, "--difference", "nan"], "--difference: nan"),
        ([*POWER, "--seed-cost", "inf"], "--seed-cost: inf"),
        ([*POWER, "--accuracy", "\udcff"], "--accuracy"),
        (["compare", "x", "--seed", HUGE], "--seed"),
        (["judge", "x", "--seed", HUGE], "--seed"),
        (["generate", "m", "p", "--max-new-tokens", HUGE], "--max-new-tokens"),
        (["plan", "--\x1b[31mred\u202e"], r"\x1b[31mred\u202e"),
        (["\x1b[2J"], r"\x1b[2J"),
        (["plan", "no\x1b[31m\u202e.yaml"], r"no\x1b[31m\u202e.yaml"),
        (["plan", "\0"], "null byte"),
        (["plan", "\udcff"], "no such file"),
        (["plan", ""], "is a folder, not a file"),
        (["init", "no\x1b[31m"], r"no\x1b[31m"),
        (["compare", "\0"], ""),
    ],
)
def test_words_that_nobody_means(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("error: ")) == ("", 1)
    assert said in err
    assert not set("\x1b\u202e\0") & set(err)


def run_shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`line` with `$HEADSTART` as the command."""
    command = f"{sys.executable} -m headstart"
    given = {**os.environ, "HEADSTART": command, "PYTHONPATH": str(Path(headstart.__file__).parents[1])}
    return subprocess.run(
        ["bash", "-c", line], env=given | environment, capture_output=True, check=False, timeout=100
    )


@pytest.mark.parametrize(
    "line",
    [
        "set -o pipefail; $HEADSTART schema | head -c 1 >/dev/null || test $? = 1",
        "$HEADSTART schema >&-",
        "$HEADSTART schema <&- >/dev/null",
        "$HEADSTART schema 2>&- >/dev/null",
        "$HEADSTART nonsense >&- 2>&-; test $? = 2",
    ],
)
def test_streams_that_are_closed(line: str) -> None:
    done = run_shell(line)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize("columns", ["1", "0", "-5", "x"])
def test_terminals_of_no_size(columns: str) -> None:
    done = run_shell("$HEADSTART power --test-examples 500", COLUMNS=columns, TERM="dumb")
    assert (done.returncode, done.stderr) == (0, b"")


def test_output_that_is_not_utf_8(study_file: Callable[..., Path], tmp_path: Path) -> None:
    rows = [{"text": f"caf\u00e9 {i}", "label": ["\u00e9\x9b", "n\u202e"][i % 2]} for i in range(40)]
    data = tmp_path / "d.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = run_shell(f"cd {tmp_path}; $HEADSTART init d.jsonl", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


def test_json_holds_the_same_values_and_nothing_that_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = ["a\x9b2J", "b\u202e\u2028\u200b"]
    rows = [{"arm": arm, "seed": seed, "accuracy": 0.5 + seed / 10} for arm in arms for seed in range(3)]
    file = tmp_path / "scores.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert main(["compare", str(file), "--control", arms[0], "--json"]) == 0
    shown = capsys.readouterr().out
    assert not set("\x9b\u202e\u2028\u200b") & set(shown)
    assert {row["arm"] for row in json.loads(shown)["summary"]} == set(arms)


@pytest.mark.parametrize("call", ["run", "plan"])
def test_a_study_is_asked_for_by_name(call: str) -> None:
    with pytest.raises(headstart.HeadstartError, match=r"a dict[\s\S]*headstart\.load_study"):
        getattr(headstart, call)({"data": {"path": "x"}, "model": "m"})
