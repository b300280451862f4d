"""What a study will need, as far as it is known: before a step is made, and once some were timed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from headstart.config.runs import Cell, Pack, Run
from headstart.config.traits import get_method_traits
from headstart.machine_memory import measure_free_memory
from headstart.methods import load_method
from headstart.planning.comparability import warn_of_settings
from headstart.planning.cost import DiskCost, GroupCost, MeasuredSteps, StudyCost
from headstart.planning.device_memory import add_context, estimate_device_memory, find_least_free
from headstart.planning.disk import estimate_disk
from headstart.planning.memory import MemoryEstimate, estimate_memory
from headstart.planning.placement import Placement
from headstart.planning.process_memory import (
    estimate_process_memory,
    warn_of_memory,
    warn_of_unknown_memory,
)
from headstart.planning.step_benchmark import (
    StepTimes,
    average_seconds,
    find_device_peak_bytes,
    find_peak_bytes,
)
from headstart.planning.time_model import (
    estimate_pack_seconds,
    estimate_total_seconds,
    fit_time_model,
)
from headstart.prepared import PreparedRun, PreparedStudy
from headstart.records import Estimate, Gpu, Parameters, Range, StudyWarning, format_duration
from headstart.training.grouping import Group, cut_packs, group_runs
from headstart.wording import join_ends

#: Runs of a method whose steps are tiny that train as one where the study leaves it open: such a step costs
#: what calling its operators costs.
_TINY_AS_ONE: Final = 32


@dataclass(frozen=True)
class GroupEstimate:
    """What is known of a group: what its runs need (None: not known), on a CPU or `on_gpu`, where steps may
    be captured or not; and steps timed in packs of `timed_runs` runs."""

    group: Group
    need: MemoryEstimate | None
    process_bytes: int
    times: tuple[StepTimes, ...] = ()
    timed_runs: int = 1
    on_gpu: bool = False
    captures: bool = True

    @property
    def has_steps(self) -> bool:
        """Whether its runs train step by step."""
        return get_method_traits(self.group.runs[0].method).has_steps

    def estimate_memory(self, runs: int) -> Range | None:
        """Bytes of a process that trains so many of its runs as one; not known of one that has a GPU."""
        if self.need is None or self.on_gpu:
            return None
        return estimate_process_memory(self.need, self.process_bytes, runs)

    def estimate_device_memory(self, runs: int) -> Range | None:
        """Bytes that torch reserves on a GPU for so many of its runs as one; None on a CPU."""
        if self.need is None or not self.on_gpu:
            return None
        return estimate_device_memory(self.need, runs, captures=self.captures)

    def estimate_seconds(self, runs: Sequence[PreparedRun]) -> Range | None:
        """What these of its runs take as one pack; None where no steps were timed."""
        model = fit_time_model(self.times, self.timed_runs)
        return estimate_pack_seconds(runs, model) if model else None

    def estimate_start(self, runs: int) -> float | None:
        """Seconds until the first step of so many of its runs as one; None where no steps were timed."""
        model = fit_time_model(self.times, self.timed_runs)
        return model.start * runs if model else None

    def to_cost(self, pack: int) -> GroupCost:
        """The same in plain types, for packs of at most so many."""
        pack = min(pack, self.group.most)
        keys = tuple(run.key for run in self.group.runs)
        on_host, on_device = self.estimate_memory(pack), self.estimate_device_memory(pack)
        return GroupCost(keys, self.group.reason, pack, on_host, self._measured, on_device)

    @property
    def _measured(self) -> MeasuredSteps | None:
        if not self.times:
            return None
        peak, device_peak = find_peak_bytes(self.times), find_device_peak_bytes(self.times)
        return MeasuredSteps(peak, average_seconds(self.times), self.timed_runs, device_peak)


@dataclass(frozen=True)
class StudyEstimate:
    """What the runs that are `missing` will need, and those `to_come`, when tuning has chosen for them.

    `groups` are of the missing ones. `parameters` are by arm, None for a method that is fitted. `gpus`
    are those that train, none on a CPU. `placement` is known once it was chosen. `cautions` are what
    methods say.
    """

    missing: tuple[Run, ...]
    prepared: PreparedStudy
    groups: tuple[GroupEstimate, ...]
    parameters: dict[str, Parameters | None]
    disk: DiskCost
    free_memory: int
    placement: Placement | None = None
    gpus: tuple[Gpu, ...] = ()
    to_come: tuple[Run, ...] = ()
    cautions: tuple[StudyWarning, ...] = ()

    @property
    def pack(self) -> int:
        """How many runs train as one, as far as it is known: asked for, or chosen."""
        setting = self.prepared.study.pack
        if setting != "auto":
            return setting
        return self.placement.pack if self.placement else 1

    @property
    def warnings(self) -> tuple[StudyWarning, ...]:
        """What does not fit, or compares what is unlike, with the setting to change."""
        settings = warn_of_settings(self.prepared.study, self.parameters)
        return (
            *self.cautions,
            *settings,
            *self._warn_of_memory(),
            *self._warn_of_disk(),
            *self._warn_of_compiling(),
        )

    def _warn_of_memory(self) -> Iterator[StudyWarning]:
        workers = self.prepared.study.workers
        processes = workers if isinstance(workers, int) else 1
        for estimate in self.groups:
            pack = min(self.pack, estimate.group.most)
            on_host, on_device = estimate.estimate_memory(pack), estimate.estimate_device_memory(pack)
            memory = add_context(on_device) if on_device else on_host
            free = find_least_free(self.gpus) if on_device else self.free_memory
            if estimate.need is not None and memory is not None:
                yield from warn_of_memory(
                    estimate.group.runs, estimate.need, memory, free, pack, processes, self.gpus
                )
        yield from warn_of_unknown_memory([e.group.runs[0] for e in self.groups if e.need is None])

    def _warn_of_disk(self) -> Iterator[StudyWarning]:
        written, free = self.disk.output_bytes, self.disk.free_bytes
        if written > free:
            sizes = f"{written / 2**30:.1f} GiB will be written, but only {free / 2**30:.1f} GiB are free"
            out = self.prepared.study.out
            yield StudyWarning(kind="disk", message=f"{sizes} in {out}: set out to another disk")

    def _warn_of_compiling(self) -> Iterator[StudyWarning]:
        """A study file may go from a GPU to a CPU and back: what a CPU cannot do of it is no mistake."""
        if self.prepared.study.execution.compile == "on" and not self.gpus:
            what = "execution.compile: on has no effect on a CPU, where compiled steps are slower"
            yield StudyWarning(kind="compile", message=f"{what}: set it to auto")

    def with_placement(self, placement: Placement) -> StudyEstimate:
        """The same with a placement, and the steps that it was chosen by for the group that they are of."""
        measured = tuple(
            replace(estimate, times=placement.times, timed_runs=placement.timed_runs)
            if estimate.group.runs[0].key == placement.timed
            else estimate
            for estimate in self.groups
        )
        return replace(self, groups=measured, placement=placement)

    def with_times_of(self, earlier: StudyEstimate) -> StudyEstimate:
        """The same with the steps that were timed of an earlier call's runs of the same arms and sizes."""
        timed = earlier._index_groups()
        return replace(self, groups=tuple(_take_times(estimate, timed) for estimate in self.groups))

    def plan_packs(self, placement: Placement) -> list[Pack]:
        """The packs that are trained so, each with what is expected of it."""
        return self._cut_packs([estimate.group for estimate in self.groups], placement)

    def plan_packs_to_come(self, placement: Placement) -> list[Pack]:
        """Those that will be trained so when tuning has ended."""
        return self._cut_packs(group_runs([self.prepared.select(run) for run in self.to_come]), placement)

    def _cut_packs(self, groups: Sequence[Group], placement: Placement) -> list[Pack]:
        tiny = _TINY_AS_ONE if self.prepared.study.pack == "auto" else 1
        like = self._index_groups()
        cut = cut_packs(groups, placement.pack, tiny, placement.kept)
        return [self._expect(pack, like[pack.runs[0].arm, pack.runs[0].size]) for pack in cut]

    def _index_groups(self) -> dict[Cell, GroupEstimate]:
        """By arm and size: seeds and grid points change nothing that is estimated."""
        return {(run.arm, run.size): of_group for of_group in self.groups for run in of_group.group.runs}

    def _expect(self, pack: Pack, group: GroupEstimate) -> Pack:
        seconds = group.estimate_seconds([self.prepared.select(run) for run in pack.runs])
        estimate = Estimate(
            memory_bytes=group.estimate_memory(len(pack.runs)),
            device_memory_bytes=group.estimate_device_memory(len(pack.runs)),
            seconds=seconds,
        )
        return replace(pack, estimate=estimate)

    def estimate_start(self, pack: Pack) -> float | None:
        """Seconds until a pack's first step; None where no steps were timed."""
        group = self._index_groups()[pack.runs[0].arm, pack.runs[0].size]
        return group.estimate_start(len(pack.runs))

    @property
    def cost(self) -> StudyCost:
        """The same in plain types."""
        groups = tuple(estimate.to_cost(self.pack) for estimate in self.groups)
        cost = StudyCost(self.parameters, groups, self.free_memory, self.disk, self.placement, gpus=self.gpus)
        if self.placement is None:
            return cost
        planned = self.plan_packs(self.placement)
        in_all = [*planned, *self.plan_packs_to_come(self.placement)]
        return replace(cost, packs=tuple(planned), seconds=predict_seconds(in_all, self.placement))


def _take_times(estimate: GroupEstimate, timed: Mapping[Cell, GroupEstimate]) -> GroupEstimate:
    """The same with the times of a group of the same arm and size, where it has none of its own."""
    first = estimate.group.runs[0]
    like = timed.get((first.arm, first.size))
    if estimate.times or like is None:
        return estimate
    return replace(estimate, times=like.times, timed_runs=like.timed_runs)


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
    parameters = _count_parameters(of_arm)
    return StudyEstimate(
        missing=missing,
        prepared=prepared,
        groups=tuple(_estimate_groups([prepared.select(run) for run in missing], process_bytes, bool(gpus))),
        parameters=parameters,
        disk=estimate_disk((*missing, *to_come), prepared, parameters, out),
        free_memory=measure_free_memory(),
        gpus=gpus,
        to_come=to_come,
        cautions=tuple(_list_cautions(of_arm)),
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
            needs[group.shape] = estimate_memory([of_run[run.key] for run in group.runs])
        captures = missing[0].study.study.execution.graph != "off"
        yield GroupEstimate(group, needs[group.shape], process_bytes, on_gpu=on_gpu, captures=captures)


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
    parts = [join_ends(format_duration(seconds.low), format_duration(seconds.high))] if seconds else []
    estimates = [pack.estimate for pack in packs if pack.estimate]
    for sizes, what in (
        ([estimate.memory_bytes for estimate in estimates], "memory"),
        ([estimate.device_memory_bytes for estimate in estimates], "GPU memory"),
    ):
        if known := [size for size in sizes if size]:
            low, high = max(size.low for size in known), max(size.high for size in known)
            size = join_ends(f"{low / 2**30:.1f}", f"{high / 2**30:.1f}")
            parts.append(f"{size} GiB of {what} a process")
    return f"expected: {', '.join(parts)}" if parts else ""


def describe_end(runs: int, seconds: float, expected: Range | None) -> str:
    """How long so many runs took in all, beside what was expected of them."""
    ends = [format_duration(end) for end in (expected.low, expected.high)] if expected else []
    span = f" (expected: {join_ends(*ends)})" if ends else ""
    return f"{runs} runs, {format_duration(seconds)}{span}"
