"""What a study saves is byte-identical, whatever the hash seed was and whatever the cache held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answering_studies import write_answering_study

StudyFile = Callable[..., Path]

_RUN = "import sys; from headstart.cli import main; sys.exit(main(['run', sys.argv[1]]))"
ARMS = {
    "full": {},
    "lora": {"method": "lora"},
    "peft": {
        "method": "peft",
        "peft": {"peft_type": "LORA", "r": 2, "target_modules": ["query", "value", "key"]},
    },
    "probe": {"method": "probe"},
    "words": None,
}


#: Of a language model: as it is, trained whole, and by both kinds of adapters.
ANSWERING: dict[str, Any] = {
    "base": {"method": "none"},
    "full": {},
    "lora": {"method": "lora", "lora": {"r": 2, "target": "all"}},
    "prompts": {"method": "peft", "peft": {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 2}},
}


@pytest.fixture
def study(study_in: StudyFile, tmp_path: Path) -> Callable[[str], Path]:
    """A study file in a folder of its own, of the same texts and checkpoint."""

    def write(name: str) -> Path:
        (tmp_path / name).mkdir()
        training = {"epochs": 1, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}
        return study_in(tmp_path / name, arms=ARMS, seeds=1, confounded=True, workers=0, training=training)

    return write


def _run(file: Path, cache: Path, seed: int) -> dict[str, bytes]:
    """The bytes of all that the study saves, but for times and places."""
    environment = os.environ | {"PYTHONHASHSEED": str(seed), "HEADSTART_CACHE": str(cache)}
    words = [sys.executable, "-c", _RUN, str(file)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    out = file.parent / "out"
    files = [path for path in out.rglob("*") if path.is_file() and path.relative_to(out).parts[0] in KEPT]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o644"}
    return {str(path.relative_to(out)): _read(path) for path in files}


KEPT = ("models", "runs")
_UNEQUAL = {"seconds", "peak_memory_bytes", "peak_device_memory_bytes", "estimate", "started", "digest"}


def _read(path: Path) -> bytes:
    if path.name != "record.json":
        return path.read_bytes()
    return json.dumps(_drop(json.loads(path.read_text("utf-8")))).encode()


def _drop(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop(inner) for key, inner in value.items() if key not in _UNEQUAL}
    return [_drop(inner) for inner in value] if isinstance(value, list) else value


def test_two_hash_seeds_and_a_cold_and_a_warm_cache_give_the_same_files(
    study: Callable[[str], Path], tmp_path: Path
) -> None:
    cold, warm = _run(study("cold"), tmp_path / "cache", 1), _run(study("warm"), tmp_path / "cache", 2)
    assert cold.keys() == warm.keys()
    assert [name for name in cold if cold[name] != warm[name]] == []
    modules = json.loads(cold["models/peft/adapter_config.json"])["target_modules"]
    assert modules == sorted(modules)
    assert json.loads(cold["models/full/tokenizer.json"])["truncation"] is None


@pytest.mark.long
def test_the_same_holds_of_a_language_model(tiny_bloom: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"say {i}", "response": "ab"[i % 2] * 3} for i in range(40)]
    keys = {
        "arms": ANSWERING,
        "control": "base",
        "confounded": True,
        "training": {"epochs": 1, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"},
        "generation": {"max_new_tokens": 4},
        "samples": ["say 80"],
    }
    saved = list[dict[str, bytes]]()
    for seed, name in enumerate(("cold", "warm"), start=1):
        (tmp_path / name).mkdir()
        file = write_answering_study(tmp_path / name, tiny_bloom, {"path": rows}, **keys)
        saved.append(_run(file, tmp_path / "cache", seed))
    cold, warm = saved
    assert cold.keys() == warm.keys()
    assert {name.split("/")[1] for name in cold} == set(ANSWERING)
    assert [name for name in cold if cold[name] != warm[name]] == []
