"""Every example of the documentation runs as pasted: Python, commands, study files, JSON and CSV."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from ruamel.yaml import YAML

import headstart
from docs_blocks import (
    CONSOLE,
    PAGES,
    ROOT,
    SHELL,
    Block,
    Command,
    list_all_blocks,
    list_blocks,
    list_commands,
)
from docs_desk import write_desk
from headstart.cli import app, main

BLOCKS: Final = list_all_blocks()
#: How many blocks bear a mark that keeps them from being run, or their output from being compared. One more
#: is one more example that nobody knows to be right: the reason stands beside it.
MARKED: Final = {"not run": 0, "output not compared": 1}
#: Blocks that show what is printed, or how folders look: nothing in them can be run.
SHOWN: Final = {
    "README.md": 2,
    "docs/results.md": 1,
    "docs/howto-machines.md": 6,
    "docs/howto-paper.md": 1,
    "docs/study-file.md": 4,
}
#: Commands that are quick, and run for good; of the others the words are parsed, and studies are read.
QUICK: Final = ("compare", "init", "params", "power", "predict", "schema")
#: The parameters of commands that name what must be there.
INPUTS: Final = {
    "compare": ("sources",),
    "export": ("model",),
    "generate": ("model", "file"),
    "import": ("path", "data"),
    "init": ("data",),
    "judge": ("study", "read"),
    "params": ("model",),
    "plan": ("study",),
    "power": ("source",),
    "push": ("folder",),
    "predict": ("model", "inputs"),
    "replay": ("study",),
    "report": ("sources",),
    "run": ("study",),
    "watch": ("folder",),
}
#: What examples call beside headstart.
OTHER_PROGRAMS: Final = (
    "cat",
    "pip",
    "python3",
    ".",
    "tensorboard",
    "make",
    "lm_eval",
    "git",
    "cd",
    "torchrun",
    "kubectl",
    "sbatch",
)
#: What a part of a study file is a part of.
WHOLE_STUDY: Final = {"data": {"path": "reviews.csv"}, "model": "asset:minilm"}


@pytest.fixture(scope="module")
def furnished(
    tmp_path_factory: pytest.TempPathFactory, tiny_roberta: Path, study_in: Callable[..., Path]
) -> Path:
    """What examples name, made once."""
    desk = tmp_path_factory.mktemp("docs") / "desk"
    desk.mkdir()
    write_desk(desk, tiny_roberta, study_in)
    return desk


@pytest.fixture
def desk(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, as the current folder."""
    shutil.copytree(furnished, tmp_path / "desk")
    monkeypatch.chdir(tmp_path / "desk")
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "desk"


def select(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages and block.mark != "not run"]


def test_no_more_examples_than_those_are_left_out() -> None:
    counted = Counter(block.mark for block in BLOCKS if block.mark)
    assert counted == Counter({name: count for name, count in MARKED.items() if count})
    shown = Counter(block.page for block in BLOCKS if block.language in ("", "text"))
    assert shown == SHOWN
    known = {"python", "yaml", "json", "csv", CONSOLE, SHELL, "", "text"}
    assert {block.language for block in BLOCKS} <= known


def list_block_commands(block: Block) -> Iterator[Command]:
    """Of a shell's block, and of the steps of a workflow."""
    if block.language in (CONSOLE, SHELL):
        yield from list_commands(block)
    elif block.language == "yaml" and "- run:" in block.text:
        for step in YAML(typ="safe").load(block.text):
            yield from list_commands(Block(block.page, block.line, SHELL, step["run"]))


def list_shell_commands() -> Iterator[Command]:
    for block in BLOCKS:
        if block.mark != "not run":
            yield from list_block_commands(block)


def test_commands_of_other_programs_are_known_ones(furnished: Path) -> None:
    targets = [line.partition(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if ":" in line]
    for command in list_shell_commands():
        assert command.words[0] in ("headstart", *OTHER_PROGRAMS), str(command)
        assert command.words[0] != "make" or command.words[1] in targets, str(command)
        assert command.words[0] != "cat" or (furnished / command.words[1]).exists(), str(command)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_as_pasted(page: str, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}  # one for a page: examples go on from each other
    for block in list_blocks(page):
        if block.mark == "not run":
            continue
        if block.language == "python":
            source = "\n" * block.line + block.text  # so that a traceback names the page's lines
            exec(compile(source, str(ROOT / page), "exec"), namespace)
        for command in list_block_commands(block):
            if command.words[0] == "headstart" and not command.words[-1].startswith("--version"):
                name, *words = command.words[1:]
                check_words(name, words, command)
                if name in QUICK and not command.is_piped:
                    run_quickly(name, words, command, desk, capsys)


def check_words(name: str, words: list[str], command: Command) -> None:
    """Options are there, files too, and so are the keys that a study is given."""
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert name in known, command
    parsed = known[name].make_context(name, list(words)).params
    for parameter in INPUTS.get(name, ()):
        for path in list_paths(parsed[parameter]):
            assert path.exists(), f"{command}: {path} is not on the desk of tests/docs_desk.py"
    if name in ("plan", "run"):
        headstart.load_study(parsed["study"], parsed["overrides"] or ())


def list_paths(value: Any) -> Iterator[Path]:
    """Of an argument or option: none, one or several; `NAME=PATH` is a path too."""
    for one in value if isinstance(value, (list, tuple)) else [value]:
        # `predict` takes texts too, and standard input.
        if one is not None and str(one) != "-" and " " not in str(one):
            yield Path(str(one).rpartition("=")[2])


def run_quickly(
    name: str, words: list[str], command: Command, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends well, and prints what the page says; `...` stands for anything before."""
    study = desk / "study.yaml"
    kept = study.read_text(encoding="utf-8")
    if name == "init":  # which writes one, and a file that is there is never overwritten
        study.unlink()
    capsys.readouterr()
    assert main([name, *words]) in (0, 3, 4), (command, capsys.readouterr().err)
    printed = capsys.readouterr().out
    study.write_text(kept, encoding="utf-8")
    if command.output and command.block.mark != "output not compared":
        assert strip_lines(printed) == strip_lines(command.output), f"{command} prints:\n{printed}"


def strip_lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("block", select("yaml"), ids=str)
def test_study_files_are_valid(block: Block) -> None:
    values = YAML(typ="safe").load(block.text)
    if isinstance(values, dict) and "tokenizer" in values:
        headstart.load_pretraining(values)
    elif isinstance(values, dict):
        parts = {} if {"data", "model"} <= values.keys() else WHOLE_STUDY
        headstart.load_study({**parts, **values})
    elif values is not None:
        assert all(set(step) <= {"run", "uses", "with", "name"} for step in values)


@pytest.mark.parametrize("block", select("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", select("csv"), ids=str)
def test_tables_have_rows_as_long_as_their_heads(block: Block) -> None:
    head, *rows = csv.reader(block.text.splitlines())
    assert rows
    assert {len(row) for row in rows} == {len(head)}


def test_the_first_study_is_the_one_that_init_writes(desk: Path) -> None:
    page = list(list_blocks("docs/quickstart.md"))
    maker = next(block for block in page if block.language == "python")
    exec(compile(maker.text, str(maker), "exec"), {})
    (desk / "study.yaml").unlink()
    assert main(["init", "reviews.csv"]) == 0
    written = (desk / "study.yaml").read_text(encoding="utf-8")
    shown = next(block.text for block in page if block.language == "yaml")
    assert shown == written, f"docs/quickstart.md is to show:\n{written}"
