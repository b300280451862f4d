"""Trains one run as one of a group of processes: the first writes and tells, the others take part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from headstart.config.runs import Pack
from headstart.engine.group import Group
from headstart.engine.kind import force_host_engine
from headstart.engine.member import Member, PackContext
from headstart.engine.optim.base import Optimiser
from headstart.engine.optim.create import create_optimiser
from headstart.engine.train import train
from headstart.engine.weights import Weights
from headstart.engine.weights_layout import WeightsLayout
from headstart.events import OnEvent, ignore_events
from headstart.prepared import PreparedRun, PreparedStudy
from headstart.store.runs import RunStore
from headstart.training.build import build_weight_parts, build_weights, make_context, make_members
from headstart.training.group_states import GroupStateSaver


class GroupBrokenError(Exception):
    """This process cannot go on, so that nobody in its group can; the cause says why."""


def follow_pack(pack: Pack, study: PreparedStudy, store: RunStore, group: Group) -> None:
    """Take part in the training of a pack of one, as one of those who do not lead; writes nothing.

    Raises:
        GroupBrokenError: it cannot go on.
    """
    runs = [study.select(run) for run in pack.runs]
    context, members = replace(make_context(runs[0]), group=group), make_members(runs)
    try:
        train_in_group(runs, members, context, store, ignore_events, _ignore_member)
    except Exception as error:
        raise GroupBrokenError from error


def train_in_group(
    runs: Sequence[PreparedRun],
    members: Sequence[Member],
    context: PackContext,
    store: RunStore,
    on_event: OnEvent,
    on_resumed: Callable[[Member], None],
) -> tuple[WeightsLayout, GroupStateSaver]:
    """Train the run to its end; the first process's member then has the whole weights of its best epoch.

    `on_resumed` is told of a run that goes on from a state. The module is let go of on return.
    """
    group = context.group
    assert group is not None
    weights, optimiser = _build(runs, context, group)
    saver = GroupStateSaver(runs, weights, context, store, group)
    for member in saver.resume(members, weights, optimiser):
        on_resumed(member)
    with force_host_engine():
        train(members, weights, context, on_event, saver.save, optimiser=optimiser)
    for member in members:
        if member.weights is not None:
            member.weights = weights.gather_row(member.weights)
    return weights.layout, saver


def _build(runs: Sequence[PreparedRun], context: PackContext, group: Group) -> tuple[Weights, Optimiser]:
    """The run's first weights, all or this process's part, and what updates them."""
    (prepared,) = runs
    training = prepared.run.training
    if group.kind == "ddp":
        whole = build_weights(runs, context)
        return whole, create_optimiser(whole, [training], batched=False)
    # Here: it imports torch's FSDP, which most processes never need.
    from headstart.engine.optim.sharded import ShardedAdamW

    parts = build_weight_parts(prepared, context, group)
    return parts, ShardedAdamW(parts, training, group)


def _ignore_member(member: Member) -> None:
    """Tell nobody."""
