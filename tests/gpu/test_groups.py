"""One model on two GPUs: by NCCL, whole or in parts, it goes where one process on a CPU goes with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from headstart import load_study, run
from headstart.records import RunRecord

ARMS = {"full": {"training": {"learning_rate": 1e-3}}, "words": None}


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_two_gpus_go_where_a_cpu_goes(
    study_file: Callable[..., Path], tmp_path: Path, device: torch.device, kind: str
) -> None:
    """Masks of a group are drawn on the host, on GPUs too: so nothing but rounding differs."""
    if device.type == "cuda" and torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")

    def train(name: str, **changes: Any) -> RunRecord:
        training = {"epochs": 2, "batch_size": 6, "precision": "fp32"}
        file = study_file(arms=ARMS, training=training, workers=1, out=str(tmp_path / name), **changes)
        (record,) = run(load_study(file)).findings.records
        return record

    alone = train("alone", device="cpu")
    together = train("together", device=device.type, parallel={"kind": kind, "processes": 2})
    assert together.error is None
    assert together.execution is not None
    assert together.execution.processes == 2
    for was, now in zip(alone.epochs, together.epochs, strict=True):
        assert now.train_loss == pytest.approx(was.train_loss, rel=1e-3)
        assert now.valid["loss"] == pytest.approx(was.valid["loss"], rel=1e-3)
