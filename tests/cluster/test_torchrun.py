"""Studies inside torchrun: one of its processes writes and tells, and all of them end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart import load_study, run
from headstart.store.runs import RunStore

_TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def _run_in_torchrun(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*_TORCHRUN, "-m", "headstart", "run", str(file), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_study_inside_torchrun_is_what_it_is_in_one_process(
    study_file: Callable[..., Path], tmp_path: Path
) -> None:
    training = {"epochs": 2, "batch_size": 6, "learning_rate": 1e-3, "precision": "fp64"}
    file = study_file(arms={"full": {}, "words": None}, training=training, workers=1)
    (alone,) = run(load_study(file, [f"out={tmp_path / 'alone'}"])).findings.records
    out = tmp_path / "together"
    ended = _run_in_torchrun(file, "parallel=ddp", f"out={out}")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("each seed") == 1  # one of them tells
    (record,) = RunStore(out).read_records()
    assert record.test == pytest.approx(alone.test, abs=1e-9)
    assert record.execution is not None
    assert (record.execution.parallel, record.execution.processes) == ("ddp", 2)


def test_a_study_without_the_section_is_refused_once(study_file: Callable[..., Path]) -> None:
    ended = _run_in_torchrun(study_file(workers=1))
    assert ended.returncode != 0
    assert ended.stderr.count("torchrun has begun 2 processes, and the study trains each model by one") == 1
