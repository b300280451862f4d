"""Help reads well at 60 and 80 columns, names what each option takes, and its examples parse."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import typer

from headstart.cli import app, main
from headstart.cli.examples import EXAMPLES

PROGRAM: Any = typer.main.get_command(app)
COMMANDS = [*PROGRAM.commands]
SHOWN = [[], *([command] for command in COMMANDS)]


def read_help(words: list[str], width: int, flag: str, capfd: Any, monkeypatch: Any) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    assert main([*words, flag]) == 0
    shown: str = capfd.readouterr().out
    return shown


@pytest.mark.parametrize("words", SHOWN, ids=lambda words: " ".join(words) or "headstart")
@pytest.mark.parametrize("width", [60, 80])
def test_no_line_is_wider_than_the_terminal(
    words: list[str], width: int, capfd: Any, monkeypatch: Any
) -> None:
    shown = read_help(words, width, "-h", capfd, monkeypatch)
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    assert shown.startswith("Usage: headstart")
    assert "\nExamples:\n" in shown
    for option in ("-h, --help", "-q, --quiet"):
        assert option in shown
    assert read_help(words, width, "--help", capfd, monkeypatch) == shown


def test_a_summary_is_one_line_of_80_columns(capfd: Any, monkeypatch: Any) -> None:
    shown = read_help([], 80, "-h", capfd, monkeypatch)
    listed = shown.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_options_say_what_they_take(command: str) -> None:
    for one in PROGRAM.commands[command].params:
        assert one.help, one.name
        assert getattr(one, "is_flag", False) or one.metavar, one.name


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_called_alike(command: str) -> None:
    """A letter means one thing in all commands."""
    letters = {"-o": "--output", "-q": "--quiet", "-f": "--file", "-h": "--help"}
    for one in PROGRAM.commands[command].params:
        assert all(letters.get(name, name) in one.opts for name in one.opts if len(name) == 2)


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_an_example_parses_and_is_short(line: str) -> None:
    assert len(line) <= 58
    words = shlex.split(line.partition(" > ")[0].rpartition(" | ")[2])
    assert words[0] == "headstart"
    command = PROGRAM.commands[words[1]]
    context = command.make_context(words[1], words[2:], parent=typer.Context(PROGRAM, info_name="headstart"))
    assert context.command is command
    for word in (word for word in words[2:] if word.startswith("--")):
        assert any(word in (*one.opts, *one.secondary_opts) for one in command.params)


def test_every_command_has_two_or_three_examples_of_itself() -> None:
    assert list(EXAMPLES) == ["headstart", *COMMANDS]
    for command in COMMANDS:
        assert all(f"headstart {command}" in line for line in EXAMPLES[command])
        assert len(EXAMPLES[command]) in ((1,) if command == "schema" else (2, 3))
