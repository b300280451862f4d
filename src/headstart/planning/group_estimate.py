"""What one group of runs will need: memory, and seconds once some of its steps were timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headstart.config.traits import get_method_traits
from headstart.planning.cost import GroupCost, MeasuredSteps
from headstart.planning.device_memory import estimate_device_memory
from headstart.planning.memory import MemoryEstimate
from headstart.planning.process_memory import estimate_process_memory
from headstart.planning.step_benchmark import (
    StepTimes,
    average_seconds,
    find_device_peak_bytes,
    find_peak_bytes,
)
from headstart.planning.time_model import estimate_pack_seconds, fit_time_model
from headstart.prepared import PreparedRun
from headstart.records import Range
from headstart.training.grouping import Group


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
