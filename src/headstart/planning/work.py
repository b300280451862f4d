"""How much work each pack is beside others: the seconds expected of it, or the operations of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headstart.config.runs import Pack
from headstart.config.traits import get_method_traits
from headstart.engine.schedule import count_total_steps
from headstart.events import PacksPlanned, PackWork
from headstart.planning.expected import predict_seconds
from headstart.planning.placement import Placement
from headstart.planning.study_estimate import StudyEstimate
from headstart.planning.time_left import MODELS_AT_END
from headstart.prepared import PreparedRun

#: Floating-point operations for each weight and token of a training step, and of an evaluation (Kaplan et al.
#: 2020, "Scaling Laws for Neural Language Models", section 2.1: 6N and 2N a token).
_STEP: Final = 6.0
_EVALUATION: Final = 2.0


def plan_work(
    packs: Sequence[Pack], to_come: Sequence[Pack], placement: Placement, estimate: StudyEstimate
) -> PacksPlanned:
    """What is about to train, and what after it, with the amount of work of each pack.

    Runs that make no steps count as none, as they do in the time expected.
    """
    is_timed = predict_seconds([*packs, *to_come], placement) is not None
    works = [_measure_work(pack, estimate, is_timed=is_timed) for pack in (*packs, *to_come)]
    workers = max(1, placement.workers)
    return PacksPlanned(tuple(works[: len(packs)]), tuple(works[len(packs) :]), workers, is_timed)


def _measure_work(pack: Pack, estimate: StudyEstimate, *, is_timed: bool) -> PackWork:
    keys = tuple(run.key for run in pack.runs)
    if not is_timed:
        return PackWork(keys, _count_operations(pack, estimate))
    start = estimate.estimate_start(pack) or 0.0
    return PackWork(keys, max(0.0, _average_seconds(pack) - (1 + MODELS_AT_END) * start), start)


def _average_seconds(pack: Pack) -> float:
    """The middle of what is expected."""
    seconds = pack.estimate.seconds if pack.estimate else None
    return (seconds.low + seconds.high) / 2 if seconds else 0.0


def _count_operations(pack: Pack, estimate: StudyEstimate) -> float:
    if not get_method_traits(pack.runs[0].method).has_steps:
        return 0.0
    return sum(_count_of_run(estimate.prepared.select(run), estimate) for run in pack.runs)


def _count_of_run(prepared: PreparedRun, estimate: StudyEstimate) -> float:
    """Operations of a run's steps and evaluations, padding left out."""
    training, parameters = prepared.run.training, estimate.parameters[prepared.run.arm]
    steps = count_total_steps(training, prepared.train_count)
    texts = steps * training.batch_size * training.accumulation
    epochs = max(1.0, texts / max(1, prepared.train_count))
    lengths = {part: prepared.tokens[part].lengths for part in ("train", "valid")}
    in_steps = texts * float(lengths["train"].mean())
    in_evaluations = epochs * float(lengths["valid"].sum())
    weights = parameters.total if parameters else 1
    return weights * (_STEP * in_steps + _EVALUATION * in_evaluations)
