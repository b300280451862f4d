"""On a real terminal, where somebody would answer `y`, no command asks whether a checkpoint may run code."""

from __future__ import annotations

import json
import os
import pty
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headstart.cli import main

StudyFile = Callable[..., Path]
#: What answers a question before it is put.
ANSWERS = b"y\ny\ny\n"


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard input is a terminal on which `y` was typed."""
    master, slave = pty.openpty()
    before = os.dup(0)
    os.dup2(slave, 0)
    try:
        with open(slave, encoding="utf-8", closefd=False) as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            os.write(master, ANSWERS)
            assert sys.stdin.isatty()
            yield
    finally:
        os.dup2(before, 0)
        for number in (before, master, slave):
            os.close(number)


@pytest.fixture
def hostile(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint whose configuration, model and tokenizer are to come from code that lies in its folder."""
    folder = tmp_path / "hostile"
    shutil.copytree(tiny_model, folder)
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w').close()\n", encoding="utf-8")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    classes = ("AutoConfig", "AutoModelForSequenceClassification", "AutoModelForCausalLM", "AutoModel")
    config |= {"model_type": "own", "auto_map": dict.fromkeys(classes, "own.Own")}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    tokenizer |= {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


@pytest.fixture
def adapter(hostile: Path, tmp_path: Path) -> Path:
    """An adapter whose base is that checkpoint."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    config = {"peft_type": "LORA", "task_type": "SEQ_CLS", "r": 2, "target_modules": ["query"]}
    config |= {"base_model_name_or_path": str(hostile)}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.copyfile(hostile / "model.safetensors", folder / "adapter_model.safetensors")
    return folder


@pytest.mark.usefixtures("_terminal")
@pytest.mark.parametrize(
    "command", ["plan", "run", "predict", "params", "generate", "export", "explain", "init"]
)
def test_nothing_is_asked_and_no_code_of_a_checkpoint_runs(
    command: str,
    hostile: Path,
    adapter: Path,
    study_file: StudyFile,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    study = study_file(model=str(hostile))
    texts = str(tmp_path / "reviews" / "test.jsonl")
    out = ["-o", str(tmp_path / f"written{'.jsonl' if command == 'predict' else ''}")]
    words = {
        "plan": [str(study)],
        "run": [str(study)],
        "predict": [str(hostile), texts, *out],
        "params": [str(hostile)],
        "generate": [str(hostile), "how many"],
        "export": [str(adapter), "--merge", *out],
        "explain": ["lora", str(hostile)],
        "init": [str(tmp_path / "reviews"), "--model", str(hostile), *out],
    }
    code = main([command, *words[command]])
    shown = "".join(capfd.readouterr())
    assert code == (0 if command == "init" else 2), shown  # `init` looks at a folder's numbers alone
    assert "[y/N]" not in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "ran").exists()
