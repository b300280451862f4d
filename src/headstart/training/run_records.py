"""Makes the records of runs: of those that failed, and of those that ended, tested at their best epoch."""

from __future__ import annotations

import math
import shutil
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from headstart.config.metrics import LOWER_IS_BETTER
from headstart.device import describe_device
from headstart.engine.generate import Answer
from headstart.engine.group import Group
from headstart.engine.member import Member, PackContext, describe_selection
from headstart.engine.runtime import StepNotes
from headstart.engine.weights_layout import WeightsLayout
from headstart.errors import HeadstartError, TrainingError
from headstart.files import set_modes
from headstart.methods.base import BuiltModel, RunResult
from headstart.os_faults import MachineError, explain_system_error, is_of_the_machine, writing
from headstart.prepared import PreparedRun
from headstart.processors import is_pinned
from headstart.records import Execution, RunRecord, Sample, Scores
from headstart.store.models import identify_rivals
from headstart.store.provenance import collect_provenance
from headstart.store.runs import RunStore
from headstart.tasks import load_task
from headstart.training.answering import NO_SCORES, Questioner
from headstart.training.build import build_model, load_trained_method, restore_model


def make_record(prepared: PreparedRun, **fields: Any) -> RunRecord:
    """What every record says of its run, with what was found."""
    run = prepared.run
    return RunRecord(
        arm=run.arm,
        size=run.size,
        seed=run.seed,
        hyperparameters=dict(run.grid_point),
        for_tuning=run.for_tuning,
        train_examples=prepared.distinct_count,
        provenance=collect_provenance(
            data=prepared.study.corpus.digest,
            checkpoint=prepared.source,
            commit=prepared.study.commit,
        ),
        **fields,
    )


def make_failed_record(prepared: PreparedRun, error: BaseException) -> RunRecord:
    """The record of a run that failed with `error`; a traceback is kept only for bugs."""
    error = explain_system_error(error) if is_of_the_machine(error) else error
    trace = None if isinstance(error, HeadstartError) else "".join(traceback.format_exception(error))
    message = str(error) if isinstance(error, HeadstartError) else f"{type(error).__name__}: {error}"
    return make_record(prepared, status="failed", error=message, traceback=trace)


def describe_execution(
    device: str,
    precision: str,
    *,
    workers: int,
    pack: int = 1,
    vocabulary: int | None = None,
    notes: StepNotes | None = None,
    group: Group | None = None,
) -> Execution:
    """How a run of this process was computed; `notes` are of its steps on a GPU."""
    return Execution(
        device=device,
        precision=precision,
        threads=torch.get_num_threads(),
        workers=workers,
        pack_size=pack,
        vocabulary_rows=vocabulary,
        pinned=is_pinned(),
        captured=notes.captured if notes else None,
        compiled=notes.compiled if notes else None,
        eager_reason=notes.eager_reason if notes else None,
        parallel=group.kind if group else None,
        processes=group.size if group else 1,
    )


@dataclass(frozen=True)
class PackFinisher:
    """Makes the records of a pack's members: tests each at its best epoch, writes predictions and models.

    `built` are models of runs before their first step, by the runs' keys, where they were kept. `keep_state`
    writes what a member has learnt, for another call to resume from. `group` are the processes that trained
    the pack's one run together.
    """

    store: RunStore
    context: PackContext
    layout: WeightsLayout
    notes: StepNotes | None
    workers: int
    pack: int
    built: dict[str, BuiltModel]
    keep_state: Callable[[Member], None]
    group: Group | None = None

    def finish(self, members: Sequence[Member], runs: Sequence[PreparedRun]) -> list[RunRecord]:
        """The members' records, those with a model first; an error of one member does not affect the others.

        Of runs whose models compete for one place the best is finished first. Where that went well, those of
        the others are not written: they would be removed at once. Nor is any of a run that only tunes.
        """
        records: dict[int, RunRecord] = {}
        taken: set[str] = set()
        for r in sorted(range(len(members)), key=lambda r: self._rank(members[r])):
            run = runs[r].run
            place = identify_rivals(run)
            records[r] = self._try(members[r], runs[r], saves=place not in taken and not run.for_tuning)
            if records[r].status == "done" and not run.for_tuning:
                taken.add(place)
        # In this order: a run that has no model for another's sake is not on record before that one.
        return list(records.values())

    def _rank(self, member: Member) -> tuple[float, str]:
        """Lower for the model that is kept: of equals that of the smaller key."""
        metric = self.context.metric
        score = member.best.valid[metric] if member.best else math.nan
        if math.isnan(score):
            return math.inf, member.run.key
        return (score if metric in LOWER_IS_BETTER else -score), member.run.key

    def _take_model(self, prepared: PreparedRun) -> BuiltModel:
        """The run's model before its first step, which was kept or is built again."""
        built = self.built.pop(prepared.run.key, None)
        if built is None:
            return build_model(prepared, self.context)
        return BuiltModel(built.module.to(self.context.device), built.table)

    def _try(self, member: Member, prepared: PreparedRun, *, saves: bool) -> RunRecord:
        try:
            return self._finish(member, prepared, saves=saves)
        except Exception as error:  # noqa: BLE001 - whatever ends a run must not end the study
            record = make_failed_record(prepared, error)
        return self._keep_trained(member, record)

    def _keep_trained(self, member: Member, record: RunRecord) -> RunRecord:
        """Keep what a run has learnt that failed after it: the next call tests it without training."""
        if member.weights is None:
            return record
        try:
            self.keep_state(member)
        except (MachineError, RuntimeError) as error:  # a full disk, or a GPU that an earlier error stopped
            what = f"its training state could not be saved: {error}"
        else:
            what = "its training was finished and is saved: run again to resume from there"
        return record.model_copy(update={"error": f"{record.error}\n  {what}"})

    def _finish(self, member: Member, prepared: PreparedRun, *, saves: bool) -> RunRecord:
        context, best = self.context, member.best
        if member.error is not None or best is None:
            return make_failed_record(
                prepared, member.error or TrainingError("no epoch finished", where=prepared.run.key)
            )
        task, method = load_task(prepared.study.study.task), load_trained_method(prepared)
        folder = self.store.get_run_folder(prepared.run.key)
        # One model is built and asked before it is given what was learnt: a second copy of the base would be
        # as large as all that a pack of adapters holds.
        built = self._take_model(prepared)
        is_shown = not prepared.run.for_tuning  # of a run that only tunes nobody is to look at the test
        questioner = Questioner(prepared.run.key)
        before = self._ask_samples(built.module, prepared, questioner) if is_shown else []
        model = restore_model(built, member, self.layout, prepared)
        test = self._test(model, prepared, folder, questioner) if is_shown else None
        after = self._ask_samples(model, prepared, questioner) if is_shown else []
        ask_valid = partial(task.measure_answers, model, prepared, context)
        valid = best.valid | questioner.ask("metrics of answers to valid prompts", ask_valid, NO_SCORES)
        parameters = method.count_trained(model, prepared)
        if saves:
            self._save(model, prepared)
        return make_record(
            prepared,
            status="done",
            best_epoch=best.epoch,
            selection=describe_selection(context.metric),
            valid=valid,
            test=test,
            samples=pair_samples(prepared, before, after),
            warnings=tuple(questioner.warnings),
            traceback=questioner.trace,
            epochs=tuple(member.epochs),
            resolved=_resolve(prepared),
            parameters=parameters,
            execution=self._describe_execution(prepared),
        )

    def _describe_execution(self, prepared: PreparedRun) -> Execution:
        used_ids = prepared.used_ids
        return describe_execution(
            describe_device(self.context.device),
            self.context.precision,
            workers=self.workers,
            pack=self.pack,
            vocabulary=None if used_ids is None else len(used_ids),
            notes=self.notes,
            group=self.group,
        )

    def _test(
        self, model: torch.nn.Module, prepared: PreparedRun, folder: Path, questioner: Questioner
    ) -> Scores:
        """The test metrics; those of answers only where the model gives them."""
        self.store.check_held()
        task = load_task(prepared.study.study.task)
        scores = task.test(model, prepared, self.context, folder)
        ask = partial(task.test_answers, model, prepared, self.context, folder)
        return scores | questioner.ask("metrics of answers to test prompts", ask, NO_SCORES)

    def _ask_samples(
        self, model: torch.nn.Module, prepared: PreparedRun, questioner: Questioner
    ) -> list[Answer]:
        ask = partial(load_task(prepared.study.study.task).answer_samples, model, prepared, self.context)
        return questioner.ask("answers to samples", ask, [])

    def _save(self, model: torch.nn.Module, prepared: PreparedRun) -> None:
        """Write the run's model; nothing of it stays where that fails.

        Raises:
            MachineError: it cannot be written.
        """
        self.store.check_held()
        folder = self.store.run_model_folder(prepared.run.key)
        with ExitStack() as undo, writing(folder):
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            load_trained_method(prepared).save(model, prepared, self.context.precision, folder)
            set_modes(folder)
            undo.pop_all()


def _resolve(prepared: PreparedRun) -> dict[str, int | float | str]:
    """The values that the run chose, and what its model needs to be used."""
    resolved: dict[str, int | float | str] = {"max_length": prepared.max_length}
    cells = prepared.study.corpus.label_cells
    return resolved if cells == "text" else {**resolved, "label_cells": cells}


def make_result_record(prepared: PreparedRun, result: RunResult, workers: int) -> RunRecord:
    """The record of a run without steps. Its model is the same before and after."""
    samples = pair_samples(prepared, result.answers, result.answers)
    return make_record(
        prepared,
        status="done",
        best_epoch=result.best_epoch,
        selection=result.selection,
        valid=result.valid,
        test=result.test,
        samples=samples,
        resolved=result.resolved,
        parameters=result.parameters,
        execution=describe_execution(result.device, result.precision, workers=workers),
    )


def pair_samples(
    prepared: PreparedRun, before: Sequence[Answer], after: Sequence[Answer]
) -> tuple[Sample, ...]:
    """The study's sample prompts with the answers of a model as it was and as it is."""
    if not before or not after:  # one of them could not answer
        return ()
    prompts = prepared.study.study.samples
    return tuple(
        Sample(
            prompt=prompt,
            before=was.text,
            after=now.text,
            stopped_before=was.stopped,
            stopped_after=now.stopped,
        )
        for prompt, was, now in zip(prompts, before, after, strict=True)
    )
