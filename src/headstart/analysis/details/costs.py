"""What runs took: time, memory, steps and energy by arm, and in all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headstart.analysis.run_energy import list_own_joules
from headstart.analysis.study_runs import StudyRuns, list_cells
from headstart.config.sizes import Size
from headstart.records import RunRecord
from headstart.records.pretraining import PretrainingRecord


@dataclass(frozen=True)
class ArmCosts:
    """What the runs of an arm at one size took, those that chose its settings counted apart.

    `seconds` is the mean of a judged run, `total_seconds` is of all its runs, `tuning_seconds` of those that
    chose settings. Memory is the most that a process held, and torch on a GPU. `parameters` and `trainable`
    are of one model. `joules` are of all its runs. None where no record tells, or of energy not all do.
    """

    arm: str
    size: Size
    n_runs: int
    n_tuning_runs: int
    seconds: float
    total_seconds: float
    tuning_seconds: float
    memory_bytes: int | None
    device_memory_bytes: int | None
    parameters: int | None
    trainable: int | None
    joules: float | None = None


@dataclass(frozen=True)
class Costs:
    """Those of all arms. `devices` are what runs were computed on, each once.

    `joules` are None where a run lacks them; `metered` says of what they are: processor, GPU, or both.
    `adapting` are the records of checkpoints pretrained further, which no run's time counts.
    """

    arms: tuple[ArmCosts, ...]
    total_seconds: float
    devices: tuple[str, ...]
    joules: float | None = None
    metered: tuple[str, ...] = ()
    adapting: tuple[PretrainingRecord, ...] = ()


def sum_costs(runs: StudyRuns, adapting: tuple[PretrainingRecord, ...] = ()) -> Costs:
    """What all runs that ended took. Of runs that trained together each has an equal part of their time."""
    ended = [record for record in runs.records if record.status == "done"]
    arms = tuple(
        _sum_arm(of_cell, runs.select_chosen(arm, size))
        for size, arm in list_cells(runs.study)
        if (of_cell := [record for record in ended if (record.arm, record.size) == (arm, size)])
    )
    devices = dict.fromkeys(record.execution.device for record in ended if record.execution)
    return Costs(
        arms,
        sum(arm.total_seconds for arm in arms),
        tuple(devices),
        _sum_joules(ended),
        tuple(_list_metered(ended)),
        adapting,
    )


def _sum_joules(records: Sequence[RunRecord]) -> float | None:
    joules = list_own_joules(records)
    return sum(joules) if joules else None


def _list_metered(records: Sequence[RunRecord]) -> Iterator[str]:
    told = [record.energy for record in records if record.energy]
    if any(energy.processor_joules is not None for energy in told):
        yield "processor"
    if any(energy.gpu_joules is not None for energy in told):
        yield "GPU"


def _sum_arm(records: Sequence[RunRecord], judged: Sequence[RunRecord]) -> ArmCosts:
    of_judged = [record.own_seconds for record in judged]
    keys = {record.key for record in judged}
    others = [record for record in records if record.key not in keys]
    counted = next((record.parameters for record in records if record.parameters), None)
    return ArmCosts(
        arm=records[0].arm,
        size=records[0].size,
        n_runs=len(judged),
        n_tuning_runs=len(others),
        seconds=sum(of_judged) / len(of_judged) if of_judged else 0.0,
        total_seconds=sum(record.own_seconds for record in records),
        tuning_seconds=sum(record.own_seconds for record in others),
        memory_bytes=max((record.peak_memory_bytes or 0 for record in records), default=0) or None,
        device_memory_bytes=max((record.peak_device_memory_bytes or 0 for record in records), default=0)
        or None,
        parameters=counted.total if counted else None,
        trainable=counted.trainable if counted else None,
        joules=_sum_joules(records),
    )
