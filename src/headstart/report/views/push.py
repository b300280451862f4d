"""View of a model that was pushed to the hub: its files are the table."""

from __future__ import annotations

from typing import Final

from headstart.models.pushed_model import PushedModel
from headstart.report.push import render_push
from headstart.report.views.base import ReportView


def _summarise(pushed: PushedModel) -> str:
    return f"{pushed.model} to {pushed.repo}{', dry run' if pushed.dry_run else ''}"


PUSHED: Final = ReportView(
    _summarise, render_push, {"files": lambda pushed: [file.to_dict() for file in pushed.files]}
)
