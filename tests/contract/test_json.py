"""With `--json` a command prints one JSON document on standard output, with its version, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from headstart.cli import app, main

StudyFile = Callable[..., Path]
#: Prints JSON in any case.
ALWAYS = {"schema"}


def test_every_command_has_it() -> None:
    program: Any = typer.main.get_command(app)
    lack = {
        name
        for name, command in program.commands.items()
        if not any("--json" in one.opts for one in command.params)
    }
    assert lack == ALWAYS


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of a bag of words, with 40 texts."""
    folder = tmp_path_factory.mktemp("json")
    rows = [{"text": f"a {word} film {i}", "label": word} for i in range(20) for word in ("good", "bad")]
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    arms = "{words: {method: bag-of-words}, other: {method: bag-of-words}}"
    lines = ["data: {path: data.jsonl}", "model: nowhere", f"arms: {arms}", "control: other", "seeds: 2"]
    (folder / "study.yaml").write_text("\n".join([*lines, "out: out", "workers: 0"]), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        "init {}/data.jsonl -o {}/new.yaml",
        "plan {}/study.yaml",
        "run {}/study.yaml",
        "compare {}/out",
        "power --test-examples 100",
        "explain lora",
    ],
)
def test_one_document(words: str, study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*words.replace("{}", str(study)).split(), "--json", "-q"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["schema_version"] == 2
    assert err == ""


def test_params(tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["params", str(tiny_model), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["schema_version"] == 2
