"""What `headstart plan` does: checks a study and its data, lists its runs and what they will cost."""

from __future__ import annotations

from headstart.config.load import require_study
from headstart.config.study import Study
from headstart.events import Log, ignore_log
from headstart.execute.local import open_local_backend, preload_workers
from headstart.execute.open_study import open_study
from headstart.experiment import estimate_missing, plan_missing
from headstart.planning.measure import measure_groups
from headstart.planning.plan import Plan


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
        HeadstartError: whatever would keep the study from being run.
    """
    require_study(study)
    if probe:
        preload_workers()
    opened = open_study(study, log)
    estimate = estimate_missing(opened)
    if probe:
        with open_local_backend(opened.prepared, opened.store, log) as backend:
            estimate = measure_groups(estimate, backend, log)
    return plan_missing(opened, estimate)
