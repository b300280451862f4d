"""Trains one pack in this process, tests each run once at its best epoch, and writes the runs' folders."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from headstart import cuda
from headstart.config.runs import Pack
from headstart.device import choose_weights_dtype
from headstart.engine.group import Group
from headstart.engine.kind import uses_device_engine
from headstart.engine.member import Member, PackContext
from headstart.engine.memory import is_out_of_memory, read_peak_bytes, reset_peak_memory
from headstart.engine.optim.create import create_optimiser
from headstart.engine.runtime import StepNotes
from headstart.engine.train import train
from headstart.engine.weights_layout import WeightsLayout
from headstart.events import OnEvent, RunEnded, RunStarted
from headstart.files import set_modes
from headstart.machine_memory import measure_free_memory
from headstart.methods import load_method
from headstart.methods.base import BuiltModel, UntrainedMethod
from headstart.prepared import PreparedRun, PreparedStudy
from headstart.records import RunRecord
from headstart.store.runs import RunStore
from headstart.store.states import warn_of_unused_state
from headstart.trackers.registry import PackTrackers
from headstart.training.build import build_weights, make_context, make_members
from headstart.training.curves import Curves
from headstart.training.group_training import GroupBrokenError, train_in_group
from headstart.training.grouping import halve_pack
from headstart.training.pack_energy import make_meter, measure_energy
from headstart.training.resume import TrainingStateSaver
from headstart.training.run_records import PackFinisher, make_failed_record, make_result_record

#: Of the host's free memory, the share that models kept for a pack's end may take.
_SPARE_MEMORY: Final = 0.25


def train_pack(
    pack: Pack,
    study: PreparedStudy,
    store: RunStore,
    workers: int,
    on_event: OnEvent,
    group: Group | None = None,
) -> list[RunRecord]:
    """Train the pack's runs and write their folders; a run that fails is recorded and does not raise.

    Args:
        workers: how many processes train at once, for the record.
        group: of processes that train the pack's one run together, which this one leads.

    Raises:
        GroupBrokenError: the group cannot go on: its processes' end is another's affair, and the record.
    """
    runs = [study.select(run) for run in pack.runs]
    for run in pack.runs:
        store.clear_run_folder(run.key)
        on_event(RunStarted(run))
    reset_peak_memory()
    cuda.start_peak_memory()  # of a pack that was too large, it also gives back what its halves need
    started = time.perf_counter()
    smaller: list[Pack] = []
    with make_meter(runs[0]) as meter, PackTrackers(study.study, store, pack.runs) as trackers:
        try:
            records = _run_methods(runs, store, workers, on_event, trackers, group)
        except Exception as error:
            if group is not None:
                raise GroupBrokenError from error
            smaller = _cut_smaller(pack, error)
            records = [make_failed_record(prepared, error) for prepared in runs]
        if not smaller:
            energy = measure_energy(meter, workers)
            shared = _describe_pack(pack, time.perf_counter() - started) | {"energy": energy}
            records = [trackers[record.key].end(record.model_copy(update=shared)) for record in records]
    if smaller:  # outside of the handler, whose error holds on to what filled the memory
        return [r for part in smaller for r in train_pack(part, study, store, workers, on_event)]
    records = [
        record.model_copy(update={"warnings": (*study.warnings, *record.warnings)}) for record in records
    ]
    for record in records:
        set_modes(store.get_run_folder(record.key))  # also what methods without training saved
    whole = store.write_pack(records)
    for record in whole:
        on_event(RunEnded(record))
    return whole


def _describe_pack(pack: Pack, seconds: float) -> dict[str, Any]:
    """What the records of its runs have in common."""
    return {
        "seconds": seconds,
        "peak_memory_bytes": read_peak_bytes(),
        "peak_device_memory_bytes": cuda.read_peak_memory(),
        "estimate": pack.estimate,
    }


def _cut_smaller(pack: Pack, error: Exception) -> list[Pack]:
    """What to try instead of a pack that could not be made or trained: halves, or each run by itself."""
    if len(pack.runs) == 1:
        return []
    return halve_pack(pack) if is_out_of_memory(error) else [Pack((run,)) for run in pack.runs]


def _run_methods(
    runs: Sequence[PreparedRun],
    store: RunStore,
    workers: int,
    on_event: OnEvent,
    trackers: PackTrackers,
    group: Group | None,
) -> list[RunRecord]:
    method = load_method(runs[0].run.method)
    if not isinstance(method, UntrainedMethod):
        return _train_members(runs, store, workers, Curves(trackers, on_event), group)
    context = make_context(runs[0]) if method.traits.has_checkpoint else None
    results = [(run, method.run(run, context, store.get_run_folder(run.run.key))) for run in runs]
    return [make_result_record(run, result, workers) for run, result in results]


def _train_members(
    runs: Sequence[PreparedRun], store: RunStore, workers: int, curves: Curves, group: Group | None
) -> list[RunRecord]:
    context, members = replace(make_context(runs[0]), group=group), make_members(runs)
    kept: dict[str, BuiltModel] | None = {} if _can_keep_models(runs, context) else None
    layout, notes, saver = _train(runs, members, context, store, curves, kept)
    saver.save_learnt()
    context = replace(context, group=None)  # the others have done their part
    told = notes if uses_device_engine(context.device) and group is None else None
    finisher = PackFinisher(
        store, context, layout, told, workers, len(runs), kept or {}, saver.save_ended, group
    )
    return [_tell_unused(record, saver.unused) for record in finisher.finish(members, runs)]


def _tell_unused(record: RunRecord, unused: frozenset[str]) -> RunRecord:
    """The record, with a warning where a training state lay there and the run began anew."""
    if record.key not in unused:
        return record
    warning = warn_of_unused_state(record.key)
    return record.model_copy(update={"warnings": (*record.warnings, warning)})


def _can_keep_models(runs: Sequence[PreparedRun], context: PackContext) -> bool:
    """Whether the models that a pack begins with are kept for its end: beside a GPU, where making them again
    takes longer than training them, and the host has memory to spare.

    A plain model of one run trains itself, and adapters share frozen weights with the stack.
    """
    if not uses_device_engine(context.device) or len(runs) == 1 or runs[0].method.freezes_base:
        return False
    parameters = load_method(runs[0].run.method).count_parameters(runs[0])
    width = choose_weights_dtype(context.precision).itemsize
    taken = len(runs) * width * parameters.total if parameters else math.inf
    return bool(taken < _SPARE_MEMORY * measure_free_memory())


def _train(
    runs: Sequence[PreparedRun],
    members: Sequence[Member],
    context: PackContext,
    store: RunStore,
    curves: Curves,
    kept: dict[str, BuiltModel] | None,
) -> tuple[WeightsLayout, StepNotes, TrainingStateSaver]:
    """Train the members; gives how each one's trained weights lie, how a device made the steps, and what
    saves their states.

    The module is let go of on return: else a frozen base would be in memory twice while its members' models
    are built again.
    """
    if context.group is not None:
        repeat = partial(curves.repeat, metric=context.metric)
        layout, of_group = train_in_group(runs, members, context, store, curves.on_event, repeat)
        return layout, StepNotes(), of_group
    weights = build_weights(runs, context, kept)
    optimiser = create_optimiser(weights, [prepared.run.training for prepared in runs])
    saver = TrainingStateSaver(runs, weights, context, store)
    for member in saver.resume(members, weights, optimiser):
        curves.repeat(member, context.metric)
    notes = train(
        members,
        weights,
        context,
        curves.on_event,
        saver.save,
        save_interrupted=saver.save_interrupted,
        optimiser=optimiser,
    )
    return weights.layout, notes, saver
