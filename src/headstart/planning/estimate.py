"""Estimates what a study will need before a step is made: parameters, memory by group, and disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from headstart.config.runs import Run
from headstart.machine_memory import measure_free_memory
from headstart.methods import load_method
from headstart.planning.adapting import estimate_adapting
from headstart.planning.disk import estimate_disk
from headstart.planning.group_estimate import GroupEstimate
from headstart.planning.memory import MemoryEstimate, estimate_memory
from headstart.planning.parallel import share_need
from headstart.planning.study_estimate import StudyEstimate
from headstart.planning.warmups import warn_of_warmups
from headstart.prepared import PreparedRun, PreparedStudy
from headstart.records import Gpu, Parameters, StudyWarning
from headstart.training.grouping import group_runs


def estimate_study(
    runs: Sequence[Run],
    missing: tuple[Run, ...],
    prepared: PreparedStudy,
    process_bytes: int,
    out: Path,
    gpus: tuple[Gpu, ...] = (),
    *,
    to_come: tuple[Run, ...] = (),
) -> StudyEstimate:
    """What is known before a step is made.

    Args:
        runs: all of the study's.
        missing: those that are not done.
        process_bytes: of a process before it has a model.
        out: the study's folder.
        gpus: that train; none where a CPU does.
        to_come: those that are trained after these.
    """
    of_arm = {run.arm: prepared.select(run) for run in runs}
    left = [prepared.select(run) for run in missing]
    parameters = _count_parameters(of_arm)
    return StudyEstimate(
        missing=missing,
        prepared=prepared,
        groups=tuple(_estimate_groups(left, process_bytes, bool(gpus))),
        parameters=parameters,
        disk=estimate_disk((*missing, *to_come), prepared, parameters, out),
        free_memory=measure_free_memory(),
        gpus=gpus,
        to_come=to_come,
        cautions=(*_list_cautions(of_arm), *warn_of_warmups(left)),
        adapting=estimate_adapting([*left, *map(prepared.select, to_come)]),
    )


def _count_parameters(of_arm: Mapping[str, PreparedRun]) -> dict[str, Parameters | None]:
    """Those of each arm; equal networks are counted once."""
    networks = {arm: prepared.run.network for arm, prepared in of_arm.items()}
    different = {networks[arm]: prepared for arm, prepared in of_arm.items()}
    counted = {
        network: load_method(prepared.run.method).count_parameters(prepared)
        for network, prepared in different.items()
    }
    return {arm: counted[network] for arm, network in networks.items()}


def _list_cautions(of_arm: Mapping[str, PreparedRun]) -> Iterator[StudyWarning]:
    for arm, prepared in of_arm.items():
        for caution in load_method(prepared.run.method).list_cautions(prepared):
            yield StudyWarning(kind="method", message=f"{arm}: {caution}")


def _estimate_groups(
    missing: Sequence[PreparedRun], process_bytes: int, on_gpu: bool
) -> Iterator[GroupEstimate]:
    """Groups of one shape need the same: it is computed once."""
    of_run = {prepared.run.key: prepared for prepared in missing}
    needs: dict[str, MemoryEstimate | None] = {}
    for group in group_runs(missing):
        if group.shape not in needs:
            need = estimate_memory([of_run[run.key] for run in group.runs])
            study, training = missing[0].study.study, group.runs[0].training
            needs[group.shape] = share_need(need, study, training.batch_size)
        captures = missing[0].study.study.execution.graph != "off"
        yield GroupEstimate(group, needs[group.shape], process_bytes, on_gpu=on_gpu, captures=captures)
