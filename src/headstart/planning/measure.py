"""Has real steps timed: to choose a study's placement, and to measure each group of its runs."""

from __future__ import annotations

from dataclasses import replace

from headstart.planning.gpu_placement import fill_gpus
from headstart.planning.group_estimate import GroupEstimate
from headstart.planning.parallel import place_together
from headstart.planning.placement import Placement, place_in_this_process
from headstart.planning.placement_choice import choose_placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimer
from headstart.planning.study_estimate import StudyEstimate
from headstart.records import Range
from headstart.stages import tell_stage
from headstart.training.grouping import Group


def place_study(study_estimate: StudyEstimate, timer: StepTimer) -> Placement:
    """The placement for the runs that are missing: as the study asks, else by timing real steps.

    On a GPU also by what is expected of its memory.
    """
    prepared, gpus = study_estimate.prepared, study_estimate.gpus
    study = prepared.study
    if study.parallel is not None:
        return place_together(study)
    estimates = {estimate.group.runs[0].key: estimate for estimate in study_estimate.groups}

    def estimate_on_gpu(group: Group, runs: int) -> Range | None:
        return estimates[group.runs[0].key].estimate_device_memory(runs)

    if study.workers == 0:
        here = place_in_this_process(study)
        stepping = [estimate.group for estimate in study_estimate.groups if estimate.has_steps]
        return fill_gpus(here, stepping, gpus, estimate_on_gpu) if gpus and study.pack == "auto" else here
    alone = [estimate.estimate_memory(1) for estimate in study_estimate.groups]
    return choose_placement(
        [estimate.group for estimate in study_estimate.groups],
        {run.key: prepared.select(run).train_count for run in study_estimate.missing},
        timer,
        workers=study.workers,
        pack=study.pack,
        bytes_each=int(max((memory.low for memory in alone if memory), default=0)),
        gpus=gpus,
        estimate=estimate_on_gpu,
    )


def measure_groups(study_estimate: StudyEstimate, timer: StepTimer) -> StudyEstimate:
    """The estimate with real steps of each kind of run, soon forgotten, and the placement that they choose.

    Groups of the same shape are timed once.
    """
    if study_estimate.prepared.study.parallel is not None:  # a step of a group is not timed
        return study_estimate.with_placement(place_study(study_estimate, timer))
    if not any(estimate.has_steps for estimate in study_estimate.groups):
        return study_estimate
    tell_stage("timing a few steps of each kind of run")
    placement = place_study(study_estimate, timer)
    study_estimate = study_estimate.with_placement(placement)
    of_shape: dict[str, GroupEstimate] = {}
    measured = []
    for estimate in study_estimate.groups:
        like = of_shape.get(estimate.group.shape)
        if like is not None:
            estimate = replace(estimate, times=like.times, timed_runs=like.timed_runs)
        elif not estimate.times and estimate.has_steps:
            estimate = _time_group(estimate, placement, timer)
        of_shape[estimate.group.shape] = estimate
        measured.append(estimate)
    return replace(study_estimate, groups=tuple(measured))


def _time_group(estimate: GroupEstimate, placement: Placement, timer: StepTimer) -> GroupEstimate:
    """A few steps of the largest pack that would train."""
    runs = estimate.group.runs[: min(placement.pack, estimate.group.most)]
    workers = max(1, min(placement.workers, len(estimate.group.runs)))
    timer.stop()  # a process that has timed another group keeps the memory of its largest pack
    times = timer.time_steps([StepBenchmark(runs, placement.threads)] * workers)
    return replace(estimate, times=tuple(times), timed_runs=len(runs))
