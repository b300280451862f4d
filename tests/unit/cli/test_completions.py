"""The shell completes commands, options, keys of a study and the arms of a study at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headstart.cli import main


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Callable[..., list[str]]:
    """What a shell offers for a line whose last word is not ended."""

    def ask(line: str, shell: str = "bash") -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_HEADSTART_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        capfd.readouterr()
        assert main(words[1:]) == 0
        offered: list[str] = capfd.readouterr().out.split("\n")
        return [word for word in offered if word]

    return ask


def test_commands_and_options(complete: Callable[..., list[str]]) -> None:
    assert complete("headstart predi") == ["predict"]
    assert complete("headstart plan --pro") == ["--probe"]
    assert complete("headstart export --ada") == ["--adapter"]


def test_keys_of_a_study(complete: Callable[..., list[str]]) -> None:
    assert complete("headstart run study.yaml training.epo") == ["training.epochs="]
    assert "seeds=" in complete("headstart plan study.yaml se")


def test_arms_of_a_study_file_and_of_a_folder(complete: Callable[..., list[str]], tmp_path: Path) -> None:
    study = "data: {path: x.csv}\nmodel: m\narms: {tuned: {}, tiny: {}, random: {init: random}}\n"
    (tmp_path / "study.yaml").write_text(study, encoding="utf-8")
    assert complete(f"headstart compare {tmp_path} --control t") == ["tuned", "tiny"]
    assert complete(f"headstart judge {tmp_path} --arm r") == ["random"]
    assert complete(f"headstart power {tmp_path} --control tu") == ["tuned"]
    assert complete(f"headstart judge {tmp_path / 'nothing'} --arm r") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(shell: str, complete: Callable[..., list[str]]) -> None:
    (offered,) = complete("headstart predi", shell)
    assert "predict" in offered
    assert "Label texts with a saved model" in offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_shown(shell: str, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: shell)
    assert main(["--show-completion"]) == 0
    script = capfd.readouterr().out
    assert "_HEADSTART_COMPLETE" in script
    assert f"complete_{shell}" in script
