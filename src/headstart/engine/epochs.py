"""Closes epochs: evaluates the members whose epoch ends, all at once; each keeps its best epoch's weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from headstart.config.best_epoch import is_better_epoch
from headstart.data.corpus import Part
from headstart.engine.device_evaluation import DeviceForward
from headstart.engine.evaluate import evaluate_members, require_scores
from headstart.engine.member import Member, PackContext, StepBatches
from headstart.engine.pack_rows import PackRows
from headstart.engine.schedule import learning_rate
from headstart.engine.steps import Steps
from headstart.engine.training_errors import name_run
from headstart.errors import TrainingError
from headstart.events import EpochDone, OnEvent
from headstart.records import EpochPoint, Scores


def close_epochs(
    pack: PackRows, step_batches: Sequence[StepBatches], steps: Steps, context: PackContext, on_event: OnEvent
) -> None:
    """Evaluate the members whose epoch ends with this step, all at once; who gives no numbers has failed."""
    rows = [r for r, m in enumerate(pack.members) if step_batches[r].ends_epoch and not m.error]
    if not rows:
        return
    parts = _list_evaluated(pack.select(rows), context)
    scores = {part: _evaluate(pack, rows, part, steps, context) for part in parts}
    for i, r in enumerate(rows):
        member = pack.members[r]
        try:
            found = {part: require_scores(of_all[i]) for part, of_all in scores.items()}
        except TrainingError as error:
            member.error = name_run(error, member)
        else:
            best = _add_epoch(member, step_batches[r].epoch, found, pack.weights.get_row(r), context.metric)
            on_event(EpochDone(member.run, member.epochs[-1], best))


def _list_evaluated(members: Sequence[Member], context: PackContext) -> list[Part]:
    """The parts to measure: not the test where all of these only tune, for nobody is to look at it."""
    are_tested = not all(member.run.for_tuning for member in members)
    return [part for part in context.evaluated_parts if part != "test" or are_tested]


def _evaluate(
    pack: PackRows, rows: list[int], part: Part, steps: Steps, context: PackContext
) -> list[Scores | TrainingError]:
    """The metrics of the members at `rows`, in this order."""
    module = pack.weights.module
    if len(rows) == len(pack) or pack.idle:  # with idle members, it is cheaper than a copy
        scores = evaluate_part(module, part, context, steps.find_forward(part))
        return [scores[r] for r in rows]
    # A stack computes all its members or none: those whose epoch goes on are left out of a copy.
    pack.weights.copy_members(rows, trains=False).bind()
    try:
        return evaluate_part(module, part, context, steps.find_forward(part, again=False))
    finally:
        pack.weights.bind()


def evaluate_part(
    module: torch.nn.Module, part: Part, context: PackContext, forward: DeviceForward | None = None
) -> list[Scores | TrainingError]:
    """The metrics of each member of `module` on one part; errors and `forward` as `evaluate_members`."""
    examples = context.parts[part]
    return evaluate_members(
        module,
        examples.tokens,
        examples.labels,
        task=context.task,
        outputs=context.outputs,
        pad_id=context.pad_id,
        device=context.device,
        precision=context.precision,
        forward=forward,
        group=context.group,
    )


def _add_epoch(
    member: Member, epoch: int, scores: dict[Part, Scores], weights: torch.Tensor, metric: str
) -> EpochPoint:
    """Give the member this epoch, with the weights [P] that it ends with; gives its best one."""
    epoch_point = _make_epoch_point(member, epoch, scores)
    member.epochs.append(epoch_point)
    if is_better_epoch(epoch_point, member.best, metric):
        _keep_best(member, epoch_point, weights)
    assert member.best is not None
    return member.best


def _make_epoch_point(member: Member, epoch: int, scores: dict[Part, Scores]) -> EpochPoint:
    first_step = member.epochs[-1].step if member.epochs else 0
    return EpochPoint(
        epoch=epoch,
        step=member.steps,
        train_loss=float(np.mean(member.losses[first_step:])),
        learning_rate=learning_rate(member.run.training, member.steps - 1, member.total_steps),
        valid=scores["valid"],
        test=None if member.run.for_tuning else scores.get("test"),
        seconds=member.seconds,
    )


def _keep_best(member: Member, epoch: EpochPoint, weights: torch.Tensor) -> None:
    """Store this epoch's weights, reusing the memory of the previous best. The last epoch needs no copy."""
    member.best = epoch
    if member.steps == member.total_steps:
        member.best_weights = None
    elif member.best_weights is None:
        member.best_weights = weights.clone()
    else:
        member.best_weights.copy_(weights)


def take_best(member: Member, last: torch.Tensor) -> None:
    """Give a member that has ended the weights of its best epoch: `last` where no others are kept."""
    if member.error is None:
        member.weights = last.clone() if member.best_weights is None else member.best_weights
    member.best_weights = None
