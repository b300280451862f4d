"""Views of a model's size, of what LoRA's settings do to it, and of a study file that was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.markdown import Markdown
from rich.text import Text

from headstart.models.accounting.sizes import LoraExplanation, ModelSize
from headstart.report.explain import render_lora_page
from headstart.report.init import render_init
from headstart.report.params import render_params
from headstart.report.study_file import StudyDraft
from headstart.report.views.base import ReportView
from headstart.report.views.frames import Row


def _summarise(size: ModelSize) -> str:
    lora = f", {size.trainable:,} train" if size.lora else ""
    return f"{size.name}, {size.total:,} parameters{lora}"


def _list_parts(size: ModelSize) -> list[Row]:
    return [part.to_dict() for part in size.counted.parts]


def _list_settings(size: ModelSize) -> Iterator[Row]:
    """What other settings of LoRA would train, all else as asked."""
    if size.lora is None:
        return
    for rank, weights in size.lora.by_rank.items():
        yield {"setting": "r", "value": rank, "parameters": weights}
    for role, target in size.lora.by_target.items():
        yield {"setting": "target", "value": role, "parameters": target.weights}
    for bias, weights in size.lora.by_bias.items():
        yield {"setting": "bias", "value": bias, "parameters": weights}


def _render_page(explanation: LoraExplanation) -> RenderableType:
    return Markdown(render_lora_page(explanation))


def _summarise_draft(draft: StudyDraft) -> str:
    return f"{draft.file}, a study of {draft.guess.source}, {draft.guess.task}"


MODEL_SIZE: Final = ReportView(_summarise, render_params, {"parts": _list_parts, "lora": _list_settings})
EXPLANATION: Final = ReportView(
    lambda explanation: _summarise(explanation.size),
    _render_page,
    {"lora": lambda explanation: _list_settings(explanation.size)},
)
DRAFT: Final = ReportView(_summarise_draft, lambda draft: Text(render_init(draft)))
