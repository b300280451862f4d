"""A word that no command knows is answered with the one that was meant."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.cli import main


@pytest.mark.parametrize(
    ("words", "told", "fix"),
    [
        ("pln study.yaml", "no such command: pln", "did you mean plan?"),
        ("train study.yaml", "no such command: train", "did you mean run?"),
        ("zzzz", "no such command: zzzz", "see headstart --help"),
        ("plan x --prob", "no such option: --prob", "did you mean --probe?"),
        ("compare x --margn 3", "no such option: --margn", "did you mean --margin?"),
        ("run x --seeds 4", "no such option: --seeds", "it is a key of the study: seeds=VALUE"),
        ("run x --learning-rate 3", "--learning-rate", "a key of the study: training.learning_rate=VALUE"),
        ("plan x --until-decided 3", "--until-decided", "it is an option of run; see headstart plan --help"),
        ("schema --zzzz", "no such option: --zzzz", "see headstart schema --help"),
    ],
)
def test_what_was_meant(words: str, told: str, fix: str, capfd: Any) -> None:
    assert main(words.split()) == 2
    out, message = capfd.readouterr()
    assert out == ""
    assert told in message
    assert fix in message
    assert message.count("error:") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["init"], "error: headstart init: DATA is missing"),
        (["push", "runs/x"], "error: headstart push: --repo is missing"),
        (["init", "a", "b"], "error: headstart init: unexpected argument: b"),
        (["compare", "x", "--margin", "wide"], "error: --margin: 'wide'\n  expected: a number\n"),
        (["compare", "x", "--seed", "1.5"], "error: --seed: 1.5\n  expected: a whole number\n"),
        (["compare", "x", "--seed", "-1"], "error: --seed: -1\n  expected: at least 0\n"),
        (["power", "x", "--difference"], "error: option '--difference' requires an argument\n"),
    ],
)
def test_words_are_refused_in_our_own(words: list[str], told: str, capfd: Any) -> None:
    assert main(words) == 2
    message = capfd.readouterr().err
    assert message.startswith(told)
    assert "--help" in message
