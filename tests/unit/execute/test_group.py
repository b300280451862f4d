"""Studies that several processes train together: equal to one process, resumed, failed in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headstart import Results, load_study, run
from headstart.records import RunRecord

StudyFile = Callable[..., Path]
ARMS = {
    "full": {"training": {"learning_rate": 1e-3}},
    "lora": {"method": "lora", "lora": {"r": 2, "dropout": 0.1}},
    "words": {"method": "bag-of-words"},
}


def _run(study_file: StudyFile, out: Path, **changes: Any) -> dict[str, RunRecord]:
    settings = {"epochs": 2, "batch_size": 6, "precision": "fp64", "clip": 0.5}
    file = study_file(
        arms=ARMS, seeds=[0], out=str(out), training=settings, device="cpu", workers=1, pack=1, **changes
    )
    results: Results = run(load_study(file))
    return {record.arm: record for record in results.findings.records}


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_a_study_is_what_it_is_in_one_process(study_file: StudyFile, tmp_path: Path, kind: str) -> None:
    alone = _run(study_file, tmp_path / "alone")
    together = _run(study_file, tmp_path / "together", parallel={"kind": kind, "processes": 2})
    assert [record.error for record in together.values()] == [None, None, None]
    for arm in ("full", "lora"):
        was, now = alone[arm], together[arm]
        assert now.execution is not None
        assert (now.execution.parallel, now.execution.processes) == (kind, 2)
        assert [point.valid for point in now.epochs] == [pytest.approx(p.valid, abs=1e-9) for p in was.epochs]
        assert now.test == pytest.approx(was.test, abs=1e-9)
        assert now.best_epoch == was.best_epoch
    assert together["words"].test == alone["words"].test
    assert (tmp_path / "together" / "models" / "full" / "model.safetensors").exists()
    assert (tmp_path / "together" / "models" / "lora" / "adapter_model.safetensors").exists()
