"""What a pretraining gives: where the model is, and the record of its training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.records.pretraining import PretrainingRecord
from headstart.shown import Shown


@dataclass(frozen=True, repr=False)
class PretrainedModel(Shown, view="headstart.report.views.pretraining:PRETRAINED"):
    """What `headstart.pretrain` gives: the folder of the model, and the record of its training."""

    folder: Path
    record: PretrainingRecord

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {"model": str(self.folder), **self.record.model_dump(mode="json")}
