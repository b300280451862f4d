"""What a study will need, as far as it is known: before a step is made, and once some were timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from headstart.config.runs import Pack, Run
from headstart.config.traits import get_method_traits
from headstart.methods import load_method
from headstart.planning.cost import DiskCost, GroupCost, MeasuredSteps, StudyCost
from headstart.planning.disk import estimate_disk
from headstart.planning.memory import MemoryEstimate, estimate_memory
from headstart.planning.placement import Placement
from headstart.planning.process_memory import estimate_process_memory, measure_free_memory, warn_of_memory
from headstart.planning.step_benchmark import StepTimes, average_seconds, find_peak_bytes
from headstart.planning.time_model import (
    estimate_pack_seconds,
    estimate_total_seconds,
    fit_time_model,
)
from headstart.prepared import PreparedRun, PreparedStudy
from headstart.records import Estimate, Parameters, Range, StudyWarning, format_duration
from headstart.training.grouping import Group, cut_packs, group_runs

#: Runs of a method whose steps are tiny that train as one where the study leaves it open: such a step costs
#: what calling its operators costs.
_TINY_AS_ONE: Final = 32


@dataclass(frozen=True)
class GroupEstimate:
    """What is known of a group: what its runs need (None: not known), and steps timed in packs of
    `timed_runs` runs."""

    group: Group
    need: MemoryEstimate | None
    process_bytes: int
    times: tuple[StepTimes, ...] = ()
    timed_runs: int = 1

    @property
    def has_steps(self) -> bool:
        """Whether its runs train step by step."""
        return get_method_traits(self.group.runs[0].method).has_steps

    def estimate_memory(self, runs: int) -> Range | None:
        """Bytes of a process that trains so many of its runs as one."""
        return None if self.need is None else estimate_process_memory(self.need, self.process_bytes, runs)

    def estimate_seconds(self, runs: Sequence[PreparedRun]) -> Range | None:
        """What these of its runs take as one pack; None where no steps were timed."""
        model = fit_time_model(self.times, self.timed_runs)
        return estimate_pack_seconds(runs, model) if model else None

    def to_cost(self, pack: int) -> GroupCost:
        """The same in plain types, for packs of at most so many."""
        pack = min(pack, self.group.most)
        keys = tuple(run.key for run in self.group.runs)
        return GroupCost(keys, self.group.reason, pack, self.estimate_memory(pack), self._measured)

    @property
    def _measured(self) -> MeasuredSteps | None:
        if not self.times:
            return None
        return MeasuredSteps(find_peak_bytes(self.times), average_seconds(self.times), self.timed_runs)


@dataclass(frozen=True)
class StudyEstimate:
    """What the runs that are `missing` will need.

    `parameters` are by arm, None for a method that is fitted. `placement` is known once it was chosen.
    """

    missing: tuple[Run, ...]
    prepared: PreparedStudy
    groups: tuple[GroupEstimate, ...]
    parameters: dict[str, Parameters | None]
    disk: DiskCost
    free_memory: int
    placement: Placement | None = None

    @property
    def pack(self) -> int:
        """How many runs train as one, as far as it is known: asked for, or chosen."""
        setting = self.prepared.study.pack
        if setting != "auto":
            return setting
        return self.placement.pack if self.placement else 1

    @property
    def warnings(self) -> tuple[StudyWarning, ...]:
        """What does not fit, with the setting to change."""
        return (*self._warn_of_memory(), *self._warn_of_disk())

    def _warn_of_memory(self) -> Iterator[StudyWarning]:
        workers = self.prepared.study.workers
        processes = workers if isinstance(workers, int) else 1
        for estimate in self.groups:
            pack = min(self.pack, estimate.group.most)
            memory = estimate.estimate_memory(pack)
            if estimate.need is not None and memory is not None:
                yield from warn_of_memory(
                    estimate.group.runs, estimate.need, memory, self.free_memory, pack, processes
                )

    def _warn_of_disk(self) -> Iterator[StudyWarning]:
        written, free = self.disk.output_bytes, self.disk.free_bytes
        if written > free:
            sizes = f"{written / 2**30:.1f} GiB are written, and {free / 2**30:.1f} GiB are free"
            out = self.prepared.study.out
            yield StudyWarning(kind="disk", message=f"{sizes} in {out}: set out to another disk")

    def with_placement(self, placement: Placement) -> StudyEstimate:
        """The same with a placement, and the steps that it was chosen by for the group that they are of."""
        measured = tuple(
            replace(estimate, times=placement.times, timed_runs=placement.timed_runs)
            if estimate.group.runs[0].key == placement.timed
            else estimate
            for estimate in self.groups
        )
        return replace(self, groups=measured, placement=placement)

    def plan_packs(self, placement: Placement) -> list[Pack]:
        """The packs that are trained so, each with what is expected of it."""
        tiny = _TINY_AS_ONE if self.prepared.study.pack == "auto" else 1
        of_run = {run.key: estimate for estimate in self.groups for run in estimate.group.runs}
        cut = cut_packs([estimate.group for estimate in self.groups], placement.pack, tiny)
        return [self._expect(pack, of_run[pack.runs[0].key]) for pack in cut]

    def _expect(self, pack: Pack, group: GroupEstimate) -> Pack:
        memory = group.estimate_memory(len(pack.runs))
        seconds = group.estimate_seconds([self.prepared.select(run) for run in pack.runs])
        return replace(pack, estimate=Estimate(memory_bytes=memory, seconds=seconds))

    @property
    def cost(self) -> StudyCost:
        """The same in plain types."""
        groups = tuple(estimate.to_cost(self.pack) for estimate in self.groups)
        cost = StudyCost(self.parameters, groups, self.free_memory, self.disk, self.placement)
        if self.placement is None:
            return cost
        planned = self.plan_packs(self.placement)
        return replace(cost, packs=tuple(planned), seconds=predict_seconds(planned, self.placement))


def estimate_study(
    runs: Sequence[Run], missing: tuple[Run, ...], prepared: PreparedStudy, process_bytes: int, out: Path
) -> StudyEstimate:
    """What is known before a step is made.

    Args:
        runs: all of the study's.
        missing: those that are not done.
        process_bytes: of a process before it has a model.
        out: the study's folder.
    """
    of_arm = {run.arm: prepared.select(run) for run in runs}
    parameters = {arm: load_method(run.run.method).count_parameters(run) for arm, run in of_arm.items()}
    return StudyEstimate(
        missing=missing,
        prepared=prepared,
        groups=tuple(_estimate_groups([prepared.select(run) for run in missing], process_bytes)),
        parameters=parameters,
        disk=estimate_disk(missing, prepared, parameters, out),
        free_memory=measure_free_memory(),
    )


def _estimate_groups(missing: Sequence[PreparedRun], process_bytes: int) -> Iterator[GroupEstimate]:
    """Groups of one shape need the same: it is computed once."""
    of_run = {prepared.run.key: prepared for prepared in missing}
    needs: dict[str, MemoryEstimate | None] = {}
    for group in group_runs(missing):
        if group.shape not in needs:
            needs[group.shape] = estimate_memory([of_run[run.key] for run in group.runs])
        yield GroupEstimate(group, needs[group.shape], process_bytes)


def predict_seconds(packs: Sequence[Pack], placement: Placement) -> Range | None:
    """What the packs take in all; None where steps of some that make steps were not timed."""
    stepping = [pack for pack in packs if get_method_traits(pack.runs[0].method).has_steps]
    spans = [pack.estimate.seconds for pack in stepping if pack.estimate and pack.estimate.seconds]
    if not spans or len(spans) < len(stepping):
        return None
    return estimate_total_seconds(spans, placement.workers)


def describe_expected(packs: Sequence[Pack], placement: Placement) -> str:
    """What is expected of packs that are about to train, in a sentence; empty where nothing is known."""
    seconds = predict_seconds(packs, placement)
    sizes = [pack.estimate.memory_bytes for pack in packs if pack.estimate and pack.estimate.memory_bytes]
    parts = [f"{format_duration(seconds.low)} to {format_duration(seconds.high)}"] if seconds else []
    if sizes:
        low, high = max(size.low for size in sizes), max(size.high for size in sizes)
        parts.append(f"{low / 2**30:.1f} to {high / 2**30:.1f} GiB of memory a process")
    return f"expected: {', '.join(parts)}" if parts else ""


def describe_end(runs: int, seconds: float, expected: Range | None) -> str:
    """How long so many runs took in all, beside what was expected of them."""
    ends = (expected.low, expected.high) if expected else ()
    span = f" (expected: {' to '.join(map(format_duration, ends))})" if ends else ""
    return f"{runs} runs, {format_duration(seconds)}{span}"
