"""The view of a pretrained language model: its figures, and its validations as a frame."""

from __future__ import annotations

from typing import Final

from headstart.models.pretrained_model import PretrainedModel
from headstart.report.pretrain import render_pretraining
from headstart.report.views.base import ReportView
from headstart.report.views.frames import Row


def _summarise(result: PretrainedModel) -> str:
    return f"{result.folder}, valid loss {result.record.valid_loss:.3f}"


def _list_validations(result: PretrainedModel) -> list[Row]:
    return [
        {"step": point.step, "train_loss": point.train_loss, **point.valid, "seconds": point.seconds}
        for point in result.record.points
    ]


PRETRAINED: Final = ReportView(
    _summarise,
    lambda result: render_pretraining(result.record, result.folder),
    {"validations": _list_validations},
)
