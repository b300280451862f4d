"""What `headstart plan` does: checks a study and its data, lists its runs and what they will cost."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import count
from typing import Final

from headstart.config.load import require_study
from headstart.config.study import Study
from headstart.events import Log, ignore_log
from headstart.execute.local import open_local_backend
from headstart.execute.open_study import OpenStudy, open_study
from headstart.execute.pool import preload_workers
from headstart.experiment import estimate_missing, plan_missing
from headstart.planning.adapting import time_adapting
from headstart.planning.measure import measure_groups
from headstart.planning.plan import Plan
from headstart.records import StudyWarning
from headstart.store.same_study import OtherStudyError

#: The kind of the warning that `out` holds another study.
OTHER_STUDY: Final = "other-study"


def plan(study: Study, log: Log = ignore_log, *, probe: bool = False) -> Plan:
    """Check the study and its data, list its runs and what they will cost, without training or writing.

    Example:
        plan = headstart.plan(headstart.load_study("study.yaml"))
        print(plan)
        plan.frame()  # pandas: a row for each run

    Args:
        log: is told what takes a while.
        probe: make a few real steps of each kind of run and forget them: memory measured, time expected.

    Raises:
        HeadstartError: whatever would keep the study from being run, but for an `out` that holds another
            study: that is a warning of the plan, whose costs are those in a new folder.
    """
    require_study(study)
    if probe:
        preload_workers()
    opened, notes = _open_anywhere(study, log)
    estimate = estimate_missing(opened)
    if probe:
        with open_local_backend(opened.prepared, opened.store, log) as backend:
            estimate = measure_groups(estimate, backend)
        estimate = time_adapting(estimate)
    planned = plan_missing(opened, estimate)
    return replace(planned, warnings=(*notes, *planned.warnings))


def _open_anywhere(study: Study, log: Log) -> tuple[OpenStudy, tuple[StudyWarning, ...]]:
    """The study; where its folder holds another one, as it would be in a new folder, and a word on that.

    Nothing is written, so that a plan need not be refused for where `run` would write.
    """
    try:
        return open_study(study, log), ()
    except OtherStudyError as error:
        out = _find_free_folder(study.out)
        message = f"{error.where}: {error.got}; `run` needs another folder, such as out={out}"
        warning = StudyWarning(kind=OTHER_STUDY, message=message)
        return open_study(study.model_copy(update={"out": out}), log), (warning,)


def _find_free_folder(out: str) -> str:
    """The folder's name with the first number behind it of which nothing is there."""
    names = (f"{out.rstrip(os.sep)}-{number}" for number in count(2))
    return next(name for name in names if not os.path.lexists(name))
