"""A checkpoint that no run can start from is refused by one sentence, and no question is asked."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
from transformers import AutoModelForCausalLM

from headstart.commands.generate import open_generator
from headstart.commands.params import read_config
from headstart.commands.predict import open_predictor
from headstart.errors import ModelError
from headstart.models.checkpoints import open_checkpoint
from tiny_checkpoints import write_checkpoint

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4665\nsize 4242\n"


def _change(folder: Path, file: str, **values: Any) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), encoding="utf-8")


def _open(folder: Path) -> object:
    return open_checkpoint(str(folder), "classification", ("bad", "good"))


DOORS: dict[str, Callable[[Path], object]] = {
    "run": _open,
    "predict": open_predictor,
    "generate": lambda folder: open_generator(str(folder)),
    "params": lambda folder: read_config(str(folder)),
}


@pytest.mark.parametrize("door", DOORS)
def test_own_code_is_never_run_nor_asked_about(
    door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_checkpoint(tmp_path / "m", "llama")
    code = f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
    code += "from transformers import LlamaConfig\nclass OwnConfig(LlamaConfig):\n    model_type = 'own'\n"
    (folder / "own.py").write_text(code, encoding="utf-8")
    _change(folder, "config.json", model_type="own", auto_map={"AutoConfig": "own.OwnConfig"})
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))
    with pytest.raises(ModelError, match="needs Python code of its own"):
        DOORS[door](folder)
    assert not (tmp_path / "ran").exists()
    assert "y/N" not in "".join(capsys.readouterr())
    assert sys.stdin.read(1) == "y"


def test_a_family_that_the_library_has_needs_no_code(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "llama")
    _change(folder, "config.json", auto_map={"AutoConfig": "absent.Config", "AutoModel": "absent.Model"})
    _open(folder)


@pytest.mark.parametrize("has_config", [True, False])
def test_an_adapter_is_no_checkpoint_to_start_from(has_config: bool, tmp_path: Path) -> None:
    base = write_checkpoint(tmp_path / "base", "llama", causal=True)
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), peft.LoraConfig(r=2))
    model.save_pretrained(tmp_path / "adapter")
    if has_config:  # as a study leaves it
        shutil.copy(base / "config.json", tmp_path / "adapter")
    with pytest.raises(ModelError, match=f"an adapter of {base}, not a whole model") as caught:
        _open(tmp_path / "adapter")
    assert f"or merge both first: headstart export {tmp_path / 'adapter'} -o WHOLE" in str(caught.value)


@pytest.mark.parametrize("door", ["run", "predict", "generate"])
@pytest.mark.parametrize("method", ["bitsandbytes", "gptq"])
def test_quantised_weights_are_refused(door: str, method: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "llama")
    settings = {"quant_method": method, "bits": 4, "load_in_4bit": True}
    _change(folder, "config.json", quantization_config=settings)
    with pytest.raises(ModelError, match=rf"its weights are already quantised \({method}\)") as caught:
        DOORS[door](folder)
    assert "method: qlora" in str(caught.value)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_pointers_of_git_lfs_are_named(file: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "bert")
    (folder / file).write_text(POINTER, encoding="utf-8")
    with pytest.raises(ModelError, match=f"{file} is a Git LFS pointer") as caught:
        _open(folder)
    assert "git lfs pull" in str(caught.value)


@pytest.mark.parametrize("door", DOORS)
def test_a_path_without_a_folder_is_said_to_be_one(door: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no such folder|no saved model"):
        DOORS[door](tmp_path / "nothing")


def test_a_file_is_no_checkpoint(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", "llama")
    with pytest.raises(ModelError, match="a file, not a folder"):
        _open(folder / "config.json")
