"""Estimates how long packs will take, with an interval, from timed steps. Times nothing itself.

A step's seconds are taken as a + b * tokens, an evaluation's as proportional to its tokens: a by how many
steps there are, b by how long the examples of each are, which the run's own order of batches says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import nnls

from headstart.engine.member import count_padded_tokens, iter_step_batches
from headstart.planning.step_benchmark import StepTimes
from headstart.planning.time_left import MODELS_AT_END, find_makespan
from headstart.planning.time_steps import count_evaluation_tokens
from headstart.prepared import PreparedRun
from headstart.records import Range
from headstart.training.build import make_context, make_members

#: What a shared machine's speed drifts by within an hour, as a share.
DRIFT: Final = 0.15


@dataclass(frozen=True)
class Workload:
    """What a run will do: steps and their tokens, and tokens of evaluations, padding included.

    `min_share` is the share of it that is done at the least, where patience may end it early.
    """

    steps: int
    tokens: int
    evaluation_tokens: int
    min_share: float = 1.0


@dataclass(frozen=True)
class TimeModel:
    """Seconds of a run's step beside others in its pack: `step + token * tokens`; of a token of an
    evaluation; of the start of a run.

    `spread` is how far the truth may lie from that, as a share.
    """

    step: float
    token: float
    evaluation_token: float
    start: float
    spread: float

    def estimate_seconds(self, workload: Workload) -> float:
        """What one run takes, alone or as its share of a pack."""
        steps = self.step * workload.steps + self.token * workload.tokens
        evaluations = self.evaluation_token * workload.evaluation_tokens
        return steps + evaluations + (1 + MODELS_AT_END) * self.start


def count_workload(prepared: PreparedRun) -> Workload:
    """What a run will do, from its examples, its seed and its settings."""
    context = make_context(prepared)
    (member,) = make_members([prepared])
    step_tokens = [
        (step.epoch, count_padded_tokens(step, context)) for step in iter_step_batches(member, context)
    ]
    epochs = step_tokens[-1][0]
    of_part = {
        part: count_evaluation_tokens(context.parts[part].tokens)
        for part in {*context.evaluated_parts, "test"}
    }
    each_epoch = sum(of_part[part] for part in context.evaluated_parts)
    patience = prepared.run.training.patience
    min_share = 1.0 if patience is None else min(1.0, (1 + patience) / epochs)
    return Workload(
        steps=len(step_tokens),
        tokens=sum(tokens for _, tokens in step_tokens),
        evaluation_tokens=epochs * each_epoch + of_part["test"],
        min_share=min_share,
    )


def fit_time_model(times: Sequence[StepTimes], runs: int) -> TimeModel | None:
    """What explains the times of packs of so many runs, from processes that worked at once; None without."""
    steps = [step for process in times for step in process.steps]
    evaluations = [process.evaluation for process in times if process.evaluation]
    if not steps or not evaluations:
        return None
    tokens, seconds = np.array(steps, float).T
    seconds = seconds / runs
    # Neither may be negative: noise in few steps would else make longer examples cheaper.
    (step, token), _ = nnls(np.stack([np.ones_like(tokens), tokens], 1), seconds)
    error = (
        np.std(seconds - step - token * tokens) / np.sqrt(len(steps)) / max(float(np.mean(seconds)), 1e-12)
    )
    return TimeModel(
        step=float(step),
        token=float(token),
        evaluation_token=sum(span for _, span in evaluations) / runs / sum(count for count, _ in evaluations),
        start=float(np.mean([process.start for process in times])) / runs,
        spread=float(np.hypot(DRIFT, 2 * error)),
    )


def estimate_pack_seconds(runs: Sequence[PreparedRun], model: TimeModel) -> Range:
    """What a pack takes from its first step to its records."""
    workloads = [count_workload(run) for run in runs]
    seconds = [model.estimate_seconds(workload) for workload in workloads]
    shortest = sum(workload.min_share * span for workload, span in zip(workloads, seconds, strict=True))
    return Range(low=shortest * max(0.0, 1 - model.spread), high=sum(seconds) * (1 + model.spread))


def estimate_total_seconds(packs: Sequence[Range], workers: int) -> Range:
    """What packs take one after another on so many workers, each handed to the first that is idle."""
    workers = max(1, workers)
    return Range(
        low=find_makespan([], [pack.low for pack in packs], workers),
        high=find_makespan([], [pack.high for pack in packs], workers),
    )
