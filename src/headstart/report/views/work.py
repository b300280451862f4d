"""View of what a worker did: the runs that it ended are the table."""

from __future__ import annotations

from typing import Any, Final

from headstart.report.views.base import ReportView
from headstart.report.work import describe_work, render_work
from headstart.store.work_done import Work


def _list_runs(work: Work) -> list[dict[str, Any]]:
    return [
        *({"run": key, "status": "done"} for key in work.done),
        *({"run": key, "status": "failed"} for key in work.failed),
    ]


WORK: Final = ReportView(describe_work, render_work, {"runs": _list_runs})
