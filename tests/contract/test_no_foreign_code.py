"""Nobody's code is run: neither a checkpoint's, nor what lies in the current folder; and nothing is asked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import peft
import pytest
from transformers import AutoConfig, dynamic_module_utils

import headstart
from headstart.errors import ModelError
from headstart.methods.peft_types import refuse_type
from headstart.models.library import never_ask, read_config
from tiny_checkpoints import write_checkpoint

_SOURCE = Path(headstart.__file__).parent
#: Calls that run no code of a checkpoint's: neither has a setting that would allow it.
_HARMLESS = ("GenerationConfig", "PeftModel")


def test_every_question_to_transformers_forbids_a_checkpoints_code() -> None:
    pattern = re.compile(r"(\w+)\.(from_pretrained|from_config)\(([^)]*)")
    calls = [
        (file.name, match[0])
        for file in _SOURCE.rglob("*.py")
        for match in pattern.finditer(file.read_text("utf-8"))
        if match[1] not in _HARMLESS
    ]
    assert len(calls) >= 4
    assert [call for call in calls if "trust_remote_code=False" not in call[1] and "`" not in call[1]] == []


def test_where_another_library_asks_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_checkpoint(tmp_path, "bert")
    (folder / "own.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    settings = '{"auto_map": {"AutoConfig": "own.C"}, "model_type": "own"}'
    (folder / "config.json").write_text(settings, encoding="utf-8")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asks"))
    before = dynamic_module_utils.TIME_OUT_REMOTE_CODE
    with pytest.raises(ValueError, match="trust_remote_code"), never_ask():
        AutoConfig.from_pretrained(folder)
    assert before == dynamic_module_utils.TIME_OUT_REMOTE_CODE


def test_flash_attention_that_a_folder_asks_for_is_left_to_the_library(tmp_path: Path) -> None:
    """Without its package transformers would fetch a kernel, which is code, from the hub."""
    folder = write_checkpoint(tmp_path, "llama")
    config = folder / "config.json"
    config.write_text(
        config.read_text("utf-8").replace("{", '{"attn_implementation": "flash_attention_2",', 1), "utf-8"
    )
    assert read_config(str(folder))._attn_implementation is None


def test_peft_imports_no_package_that_a_configuration_names() -> None:
    with pytest.raises(ModelError, match="megatron_config makes PEFT import a package"):
        refuse_type({"peft_type": "LORA", "megatron_config": {}, "megatron_core": "evil"})
    assert hasattr(peft.LoraConfig(), "megatron_core")


def test_modules_in_the_current_folder_are_not_imported(tmp_path: Path) -> None:
    """By the command, and by the server that workers come from, which loads torch."""
    for name in ("multiprocessing", "torch", "transformers"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w').close()\nraise ImportError('evil')\n", "utf-8")
    program = (
        "import sys; sys.path.remove('')\n"
        "from headstart.execute.pool import preload_workers, _choose_context\n"
        "preload_workers()\n"
        "context = _choose_context()\n"
        "process = context.Process(target=print, args=('worked',)); process.start(); process.join()\n"
    )
    paths = os.pathsep.join((str(_SOURCE.parent), os.environ.get("PYTHONPATH", "")))
    words = {"program": ["-c", program], "module": ["-m", "headstart", "schema"]}
    for command in words.values():
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": paths.rstrip(os.pathsep)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not (tmp_path / "ran").exists(), ended.stderr
        assert ended.returncode == 0, ended.stderr
