"""Studies and records for tests of what is stored: nothing is trained for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.config.study import Study
from headstart.records import RunRecord


def make_study(out: Path, **changes: Any) -> Study:
    """A study of files and a model that are not there."""
    return Study.model_validate({"data": {"path": "/a.csv"}, "model": "m", "out": str(out)} | changes)


def make_record(
    seed: int = 0, *, status: str = "done", valid: float | None = 0.5, arm: str = "a", **more: Any
) -> RunRecord:
    """A run with this score on valid and on test."""
    scores = None if valid is None else {"accuracy": valid}
    values = {"arm": arm, "size": "all", "seed": seed, "status": status, "train_examples": 8}
    return RunRecord.model_validate(values | {"valid": scores, "test": scores} | more)
