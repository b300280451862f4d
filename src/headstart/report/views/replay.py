"""View of a replay: what the command prints, and what differs as tables."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from headstart.report.replay import describe_replay, render_replay
from headstart.report.views.base import ReportView

REPLAY: Final = ReportView(
    describe_replay,
    render_replay,
    {
        "files": lambda replay: replay.to_dict()["files"],
        "metrics": lambda replay: replay.to_dict()["metrics"],
        "columns": lambda replay: replay.to_dict()["columns"],
        "conditions": lambda replay: [asdict(condition) for condition in replay.conditions],
    },
)
