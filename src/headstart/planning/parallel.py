"""How many processes train one model, and what each of them needs of memory; none of it is measured."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from headstart.config.parallel import Parallel
from headstart.config.study import Study
from headstart.config.torchrun import read_world
from headstart.device import count_gpus
from headstart.errors import HeadstartError
from headstart.planning.memory import MemoryEstimate
from headstart.planning.placement import Placement
from headstart.processors import count_threads


def count_ranks(study: Study) -> int:
    """Processes that train one model: 1 without `parallel`.

    Raises:
        HeadstartError: so many cannot be, or their number is not known.
    """
    world = read_world()
    if study.parallel is None:
        if world is not None and world.size > 1:
            raise HeadstartError(
                f"torchrun has begun {world.size} processes, and the study trains each model by one",
                where="parallel",
                expected="ddp or fsdp inside torchrun",
                fix="set it, or run without torchrun",
            )
        return 1
    if world is not None:
        return _take_world(study.parallel, world.size)
    return _count_here(study.parallel, count_gpus(study.device))


def _count_here(parallel: Parallel, gpus: int) -> int:
    """Of a machine of so many GPUs that train, none on a CPU."""
    asked = parallel.processes
    if asked == "auto":
        if gpus < 2:
            what = "no GPU" if gpus == 0 else "one GPU"
            raise HeadstartError(
                f"auto, and there is {what}",
                where="parallel.processes",
                expected="two GPUs or more",
                fix="say how many processes of a CPU: parallel: {kind: "
                f"{parallel.kind}, processes: 2}}, with device: cpu",
            )
        return gpus
    if gpus and asked > gpus:
        raise HeadstartError(
            f"{asked} processes, and {gpus} GPUs",
            where="parallel.processes",
            expected="a GPU for each",
            fix=f"set it to auto, or at most {gpus}",
        )
    return asked


def _take_world(parallel: Parallel, size: int) -> int:
    """Torchrun's own number."""
    if size < 2 or parallel.processes not in ("auto", size):
        raise HeadstartError(
            f"{parallel.processes} processes, and torchrun has begun {size}",
            where="parallel.processes",
            expected="auto, or as many as torchrun begins, 2 or more",
        )
    return size


def place_together(study: Study) -> Placement:
    """The placement of a study with `parallel`: one run at a time, by all processes; nothing is timed."""
    assert study.parallel is not None
    ranks = count_ranks(study)
    world = read_world()
    here = world.local_size if world else ranks
    return Placement(1, count_threads(here), f"parallel: {study.parallel.kind}", 1, ranks=ranks)


def share_need(need: MemoryEstimate | None, study: Study, batch_size: int) -> MemoryEstimate | None:
    """One process's share of what a run needs: its rows of a step, and with fsdp its part of the weights."""
    if need is None or study.parallel is None:
        return need
    ranks = count_ranks(study)
    step = need.step * ceil(batch_size / ranks) // batch_size
    if study.parallel.kind == "ddp":
        return replace(need, step=step)
    return replace(need, step=step, shared=need.shared // ranks, member=need.member // ranks)
