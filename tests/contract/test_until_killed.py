"""A study whose seeds are added on demand, killed between two rounds, ends as one that was not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

StudyIn = Callable[..., Path]
#: Nothing settles a contrast, so that it ends at the cap: rounds of 8 and 9 seeds.
SCRIPT = """
import os, signal, sys
import torch
from headstart.commands import until
from headstart.config.load import load_study

def log(sentence):
    if kill_at and sentence.startswith(kill_at + " seeds, "):
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    torch.set_num_threads(1)
    file, kill_at = sys.argv[1:]
    until._DECIDED = frozenset()
    until.run_until(load_study(file), 1e-6, log=log, most_seeds=9)
"""
#: Times and places, and digests of records, which hold both.
TIMES = {"seconds", "estimate", "started", "time", "peak_memory_bytes", "peak_device_memory_bytes"}
OTHERS = TIMES | {"digest", "out", "data"}


def run(file: Path, kill_at: str = "") -> int:
    script = file.parent / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    words = [sys.executable, str(script), str(file), kill_at]
    return subprocess.run(words, capture_output=True, check=False, timeout=600).returncode


def drop_others(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: drop_others(inner) for key, inner in value.items() if key not in OTHERS}
    return [drop_others(inner) for inner in value] if isinstance(value, list) else value


def read(out: Path) -> dict[str, Any]:
    """All figures, the rule, the looks, and the bytes of predictions."""
    names = ("results.json", "until_decided.json", "looks.json")
    values = {
        name: drop_others(json.loads((out / name).read_bytes())) for name in names if (out / name).exists()
    }
    return values | {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.parquet")}


@pytest.mark.long
def test_it_goes_on_after_the_last_round_and_ends_equal(
    study_in: StudyIn, tmp_path: Path, whole: Path
) -> None:
    file = write_study(study_in, tmp_path)
    assert run(file, "8") == -signal.SIGKILL
    out = tmp_path / "out"
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*/*/record.json")}
    assert len(before) == 2 * 8
    assert run(file) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert read(out) == read(whole)


@pytest.fixture(scope="module")
def whole(study_in: StudyIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same study, which nothing stopped."""
    file = write_study(study_in, tmp_path_factory.mktemp("whole"))
    assert run(file) == 0
    return file.parent / "out"


def write_study(study_in: StudyIn, folder: Path) -> Path:
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": None}
    return study_in(folder, arms=arms, control="random")
