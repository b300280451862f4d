"""Has real steps timed: to choose a study's placement, and to measure each group of its runs."""

from __future__ import annotations

from dataclasses import replace

from headstart.engine.device import choose_device
from headstart.events import Log
from headstart.planning.estimate import GroupEstimate, StudyEstimate
from headstart.planning.placement import Placement, place_in_this_process
from headstart.planning.placement_choice import choose_placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimer


def place_study(estimate: StudyEstimate, timer: StepTimer) -> Placement:
    """The placement for the runs that are missing: as the study asks, else by timing real steps."""
    prepared = estimate.prepared
    study = prepared.study
    if study.workers == 0:
        return place_in_this_process(study)
    alone = [memory.low for one in estimate.groups if (memory := one.memory(1)) is not None]
    return choose_placement(
        [one.group for one in estimate.groups],
        {run.key: prepared.of(run).train_count for run in estimate.missing},
        timer,
        workers=study.workers,
        pack=study.pack,
        device=choose_device(study.device).type,
        bytes_each=int(max(alone, default=0)),
    )


def measure_groups(estimate: StudyEstimate, timer: StepTimer, log: Log) -> StudyEstimate:
    """The estimate with real steps of each kind of run, soon forgotten, and the placement that they choose.

    Groups of one shape are timed once.
    """
    if not any(one.has_steps for one in estimate.groups):
        return estimate
    log("making a few steps of each kind of run")
    placement = place_study(estimate, timer)
    estimate = estimate.with_placement(placement)
    of_shape: dict[str, GroupEstimate] = {}
    measured = []
    for one in estimate.groups:
        like = of_shape.get(one.group.shape)
        if like is not None:
            one = replace(one, times=like.times, timed_runs=like.timed_runs)
        elif not one.times and one.has_steps:
            one = _time_group(one, placement, timer)
        of_shape[one.group.shape] = one
        measured.append(one)
    return replace(estimate, groups=tuple(measured))


def _time_group(one: GroupEstimate, placement: Placement, timer: StepTimer) -> GroupEstimate:
    """A few steps of the largest pack that would train."""
    runs = one.group.runs[: min(placement.pack, one.group.most)]
    workers = max(1, min(placement.workers, len(one.group.runs)))
    timer.stop()  # a process that has timed another group keeps the memory of its largest pack
    times = timer.time_steps([StepBenchmark(runs, placement.threads)] * workers)
    return replace(one, times=tuple(times), timed_runs=len(runs))
