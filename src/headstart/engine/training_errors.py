"""The errors of a member that cannot go on: each names its run and the step."""

from __future__ import annotations

from headstart.engine.member import Member
from headstart.errors import TrainingError


def name_run(error: TrainingError, member: Member) -> TrainingError:
    """The error, with the run and the step at which it was met."""
    where = f"run {member.run.key}, after step {member.steps} of {member.total_steps}"
    return TrainingError(error.got, where=where, expected=error.expected, fix=error.fix)


def make_divergence_error(member: Member, loss: float, norm: float) -> TrainingError:
    """That a loss, or its gradient, is no longer finite."""
    return TrainingError(
        f"loss {loss:g} with a gradient of norm {norm:g} at step {member.steps} of {member.total_steps}",
        where=f"run {member.run.key}",
        expected="finite numbers",
        fix="lower training.learning_rate, or lengthen training.warmup",
    )


def make_memory_error(member: Member) -> TrainingError:
    """That memory does not hold the member's next step, even alone."""
    return TrainingError(
        f"out of memory at step {member.steps + 1} of {member.total_steps}",
        where=f"run {member.run.key}",
        fix="lower training.batch_size (and raise training.accumulation), or training.max_length",
    )
