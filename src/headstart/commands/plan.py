"""What `headstart plan` does: checks a study and its data, lists its runs and what they will cost."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from itertools import count
from typing import Final

from headstart.config.limits import MOST_WORKERS
from headstart.config.load import require_study
from headstart.config.study import Study
from headstart.errors import HeadstartError
from headstart.events import Log, ignore_log
from headstart.execute.local import open_local_backend
from headstart.execute.open_study import OpenStudy, open_study
from headstart.execute.pinned import restore_placement
from headstart.execute.pool import preload_workers
from headstart.experiment import estimate_missing, plan_missing
from headstart.planning.adapting import time_adapting
from headstart.planning.machine_plan import Machines, plan_machines
from headstart.planning.measure import measure_groups
from headstart.planning.plan import Plan
from headstart.records import StudyWarning
from headstart.store.same_study import OtherStudyError

#: The kind of the warning that `out` holds another study.
OTHER_STUDY: Final = "other-study"
#: More than anyone has, so that a slip of the keyboard is no hour of sums.
_MOST: Final = {"machines": 100_000, "gpus": 64, "workers": MOST_WORKERS}


def plan(
    study: Study,
    log: Log = ignore_log,
    *,
    probe: bool = False,
    machines: int | None = None,
    gpus: int | None = None,
    workers: int | None = None,
) -> Plan:
    """Check the study and its data, list its runs and what they will cost, without training or writing.

    Example:
        plan = headstart.plan(headstart.load_study("study.yaml"))
        print(plan)
        plan.frame()  # pandas: a row for each run

    Args:
        log: is told what takes a while.
        probe: make a few real steps of each kind of run and forget them: memory measured, time expected.
        machines: so many like this one, which take packs from one folder: the plan's `machines` says how long
            that lasts, by runs that the folder has on record, or else by the steps of `probe`.
        gpus: of each of them; as this one trains, if None, and 0 for their processors.
        workers: processes that train on each of them; None: one a GPU, or as many as on this one.

    Raises:
        HeadstartError: whatever would keep the study from being run, but for an `out` that holds another
            study: that is a warning of the plan, whose costs are those in a new folder.
    """
    require_study(study)
    asked = _check_machines(machines, gpus, workers)
    if probe:
        preload_workers()
    opened, notes = _open_anywhere(study, log)
    preparation = time.monotonic() - opened.began
    estimate = estimate_missing(opened)
    if probe:
        with open_local_backend(opened.prepared, opened.store, log) as backend:
            estimate = measure_groups(estimate, backend)
        estimate = time_adapting(estimate)
    planned = plan_missing(opened, estimate)
    planned = replace(planned, warnings=(*notes, *planned.warnings))
    if asked is None or not estimate.missing:
        return planned
    earlier = opened.store.read_placement()
    placement = estimate.placement or (restore_placement(earlier, opened.study) if earlier else None)
    on_machines = plan_machines(asked, estimate, opened.done.values(), placement, preparation)
    return replace(planned, machines=on_machines)


def _check_machines(machines: int | None, gpus: int | None, workers: int | None) -> Machines | None:
    """What is asked for; None where it is nothing.

    Raises:
        HeadstartError: it is no number of machines, or nothing is said of how many they are.
    """
    least = {"machines": (machines, 1), "gpus": (gpus, 0), "workers": (workers, 1)}
    for name, (value, lowest) in least.items():
        if value is not None and not lowest <= value <= _MOST[name]:
            expected = f"a whole number from {lowest} to {_MOST[name]:,}"
            raise HeadstartError(f"{value} {name}", where=name, expected=expected, fix="give another number")
        if value is not None and machines is None:
            what = f"{value}, but no number of machines"
            raise HeadstartError(
                what, where=name, expected="machines as well", fix=f"add machines, or leave {name} out"
            )
    return None if machines is None else Machines(machines, gpus, workers)


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
