"""Where and how packs train: processes, their threads, and how many runs are one pack."""

from __future__ import annotations

from dataclasses import dataclass, field

from headstart.config.study import Study
from headstart.planning.step_benchmark import StepTimes
from headstart.wording import format_count


@dataclass(frozen=True)
class Placement:
    """`workers` processes (0: this one) of `threads` threads (0: as torch has it), packs of at most `pack`
    runs, and why.

    `seconds` is what a step of one run costs so, where it was timed; `times` are then those of packs of
    `timed_runs` runs that began with the run of the key `timed`. `kept` are packs that an earlier call cut,
    as keys of runs. `ranks` are the processes that train each model together: one at a time then.
    """

    workers: int
    threads: int
    reason: str
    pack: int = 1
    seconds: float | None = None
    times: tuple[StepTimes, ...] = field(default=(), compare=False)
    timed: str = field(default="", compare=False)
    timed_runs: int = field(default=1, compare=False)
    kept: tuple[tuple[str, ...], ...] = field(default=(), compare=False)
    ranks: int = 1


def place_in_this_process(study: Study) -> Placement:
    """The placement of a study with `workers: 0`, where nothing is timed."""
    return Placement(0, 0, "asked for", 1 if study.pack == "auto" else study.pack)


def describe_placement(placement: Placement) -> str:
    """How packs were trained, as a sentence without its end."""
    packs = f", at most {placement.pack} runs together" if placement.pack > 1 else ""
    if not placement.workers:
        return f"trained in this process{packs}"
    threads = f" of {format_count(placement.threads, 'thread')}" if placement.threads else ""
    if placement.ranks > 1:
        return f"each model trained by {placement.ranks} processes{threads} together ({placement.reason})"
    workers = format_count(placement.workers, "worker process", "worker processes")
    return f"trained by {workers}{threads}{packs} ({placement.reason})"
