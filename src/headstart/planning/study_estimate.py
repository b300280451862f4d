"""What the missing runs of a study will need: packs, warnings, and the cost in plain types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from headstart.config.runs import Cell, Pack, Run
from headstart.planning.comparability import warn_of_settings
from headstart.planning.cost import AdaptingCost, DiskCost, StudyCost
from headstart.planning.device_memory import add_context, find_least_free
from headstart.planning.expected import predict_seconds
from headstart.planning.group_estimate import GroupEstimate
from headstart.planning.parallel import count_ranks
from headstart.planning.placement import Placement
from headstart.planning.process_memory import warn_of_memory, warn_of_unknown_memory
from headstart.prepared import PreparedStudy
from headstart.records import Estimate, Gpu, Parameters, StudyWarning
from headstart.training.grouping import Group, cut_packs, group_runs

#: Runs of a method whose steps are tiny that train as one where the study leaves it open: such a step costs
#: what calling its operators costs.
_TINY_AS_ONE: Final = 32


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
    adapting: AdaptingCost | None = None

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
        at_once = workers if isinstance(workers, int) else 1
        processes = max(at_once, count_ranks(self.prepared.study))
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
        cost = StudyCost(
            self.parameters,
            groups,
            self.free_memory,
            self.disk,
            self.placement,
            gpus=self.gpus,
            adapting=self.adapting,
        )
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
