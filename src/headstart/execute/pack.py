"""Carries one pack out in this process: trains it, tests each run once, and writes its folder."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Protocol

import torch

from headstart.config.expand import Pack, Run
from headstart.config.metrics import better
from headstart.data.corpus import PARTS, Examples
from headstart.data.splits import subset
from headstart.engine.device import choose_device, choose_precision
from headstart.engine.evaluate import window_logits
from headstart.engine.losses import probabilities
from headstart.engine.memory import peak_bytes, reset_peak
from headstart.engine.metrics import Meter, meter
from headstart.engine.train import Member, Setting, Texts, prepare_model, selection, train
from headstart.errors import HeadstartError, TrainingError
from headstart.execute.prepare import Prepared
from headstart.models.bag_of_words import BagOfWords, fit_path
from headstart.models.initialise import count, initialise
from headstart.models.save import save_model
from headstart.records import EpochPoint, Execution, Parameters, Provenance, RunRecord, Scores
from headstart.store.predictions import predictions_file
from headstart.store.provenance import provenance
from headstart.store.runs import RunStore
from headstart.store.trackers import TensorBoard

#: Test texts whose logits a saved model must give again.
_EXAMPLES = 8


class Watcher(Protocol):
    """Is told of runs as they start, go on and end."""

    def started(self, run: Run) -> None:
        """A run began."""

    def step(self, run: Run, step: int, total: int, loss: float) -> None:
        """A run made a step."""

    def epoch(self, run: Run, point: EpochPoint, best: EpochPoint) -> None:
        """A run ended an epoch."""

    def ended(self, record: RunRecord) -> None:
        """A run is done or failed, and its record written."""


def carry_out(
    pack: Pack, prepared: Prepared, store: RunStore, workers: int, watcher: Watcher
) -> list[RunRecord]:
    """Train the pack's runs and write their folders; a run that fails is recorded and does not raise.

    `workers` is how many processes train at once, for the record.
    """
    for run in pack.runs:
        store.start(run.key)
        watcher.started(run)
    reset_peak()
    started = time.perf_counter()
    try:
        records = _carry_out(pack, prepared, store, workers, watcher)
    except Exception as error:  # noqa: BLE001 - whatever ends a run must not end the study
        records = [failed(run, prepared, error) for run in pack.runs]
    rest = {
        "seconds": time.perf_counter() - started,
        "peak_memory_bytes": peak_bytes(),
        "warnings": prepared.notices,
    }
    records = [record.model_copy(update=rest) for record in records]
    for record in records:
        store.write(record)
        watcher.ended(record)
    return records


def failed(run: Run, prepared: Prepared, error: BaseException) -> RunRecord:
    """The record of a run that `error` ended. A mistake has no trace worth reading; a bug has."""
    trace = None if isinstance(error, HeadstartError) else "".join(traceback.format_exception(error))
    what = str(error) if isinstance(error, HeadstartError) else f"{type(error).__name__}: {error}"
    return RunRecord(
        arm=run.arm,
        size=run.size,
        seed=run.seed,
        setting=dict(run.setting),
        status="failed",
        texts=texts_of(run, prepared),
        provenance=_provenance(run, prepared),
        error=what,
        trace=trace,
    )


def texts_of(run: Run, prepared: Prepared) -> int:
    """How many training texts the run learns from."""
    return len(prepared.corpus.parts["train"]) if run.size == "all" else run.size


def _carry_out(
    pack: Pack, prepared: Prepared, store: RunStore, workers: int, watcher: Watcher
) -> list[RunRecord]:
    if pack.runs[0].method == "bag-of-words":
        return [_bag_of_words(run, prepared, store, workers) for run in pack.runs]
    setting = setting_of(pack.runs[0], prepared)
    members = [member_of(run, prepared, setting) for run in pack.runs]
    with _Curves(members, store, setting.metric, watcher) as listener:
        train(members, members[0].model, setting, listener)
    return [_finish(member, prepared, store, setting, workers) for member in members]


def setting_of(run: Run, prepared: Prepared) -> Setting:
    """What the engine needs to know of the study, for a pack of runs like `run`."""
    study, corpus = prepared.study, prepared.corpus
    device = choose_device(study.device)
    tokens = prepared.tokens_of(run)
    return Setting(
        task=study.task,
        classes=corpus.outputs,
        pad_id=prepared.checkpoints[run.checkpoint].tokenizer.pad_token_id,
        metric=study.metric,
        curves=study.curves,
        parts={part: Texts(tokens[part], corpus.parts[part].labels) for part in PARTS},
        device=device,
        precision=choose_precision(run.training.precision, device),
    )


def member_of(run: Run, prepared: Prepared, setting: Setting) -> Member:
    """The run with its model as its seed and arm initialise it."""
    checkpoint = prepared.checkpoints[run.checkpoint]
    model = initialise(checkpoint, pretrained=run.pretrained, seed=run.seed)
    index = subset(prepared.corpus.parts["train"], run.size, run.seed)
    return Member(run, prepare_model(model, setting), index)


class _Curves(ExitStack):
    """Hands what the engine says on to each run's TensorBoard file and to the watcher."""

    def __init__(self, members: Sequence[Member], store: RunStore, metric: str, watcher: Watcher) -> None:
        super().__init__()
        self._watcher = watcher
        self._boards = {
            member.run.key: self.enter_context(TensorBoard(store.curves_folder(member.run.key), metric))
            for member in members
        }

    def step(self, run: Run, step: int, total: int, loss: float, rate: float) -> None:
        self._boards[run.key].step(step, loss, rate)
        self._watcher.step(run, step, total, loss)

    def epoch(self, run: Run, point: EpochPoint, best: EpochPoint) -> None:
        self._boards[run.key].epoch(point, best)
        self._watcher.epoch(run, point, best)


def _finish(member: Member, prepared: Prepared, store: RunStore, setting: Setting, workers: int) -> RunRecord:
    """Test the member at its selected epoch, write predictions and model, and make its record."""
    run, best = member.run, member.best
    if member.error is not None or best is None:
        return failed(run, prepared, member.error or TrainingError("no epoch ended", where=run.key))
    tokens = setting.parts["test"].tokens
    windows = window_logits(
        member.model, tokens, pad_id=setting.pad_id, device=setting.device, precision=setting.precision
    )
    test = _write_predictions(windows, prepared, store, run)
    checkpoint = prepared.checkpoints[run.checkpoint]
    limit = checkpoint.length(run.training.max_length)
    save_model(
        member.model,
        checkpoint,
        store.run_folder(run.key) / "model",
        examples=prepared.corpus.parts["test"].texts[:_EXAMPLES],
        max_length=limit,
    )
    return RunRecord(
        arm=run.arm,
        size=run.size,
        seed=run.seed,
        setting=dict(run.setting),
        status="done",
        texts=len(member.index),
        best_epoch=best.epoch,
        selection=selection(setting.metric),
        valid=best.valid,
        test=test,
        epochs=tuple(member.points),
        chosen={"max_length": limit},
        parameters=count(member.model),
        execution=_execution(str(setting.device), setting.precision, workers),
        provenance=_provenance(run, prepared),
    )


def _execution(device: str, precision: str, workers: int) -> Execution:
    return Execution(device=device, precision=precision, threads=torch.get_num_threads(), workers=workers)


def _provenance(run: Run, prepared: Prepared) -> Provenance:
    checkpoint = prepared.checkpoints.get(run.checkpoint)
    return provenance(
        data=prepared.corpus.digest,
        checkpoint=checkpoint.digest if checkpoint else None,
        commit=prepared.commit,
    )


def _write_predictions(
    windows: Iterator[tuple[slice, torch.Tensor]], prepared: Prepared, store: RunStore, run: Run
) -> Scores:
    """Measure and write the test predictions window by window; gives the metrics."""
    corpus, task = prepared.corpus, prepared.study.task
    test, counted = corpus.parts["test"], meter(task, corpus.outputs)
    file = store.run_folder(run.key) / "predictions.parquet"
    with predictions_file(file, task, corpus.label_names) as out:
        for where, logits in windows:
            counted.add(logits, torch.from_numpy(test.labels[where]))
            out.add(test.ids[where], test.labels[where], probabilities(logits, task).numpy())
    return counted.scores()


def _bag_of_words(run: Run, prepared: Prepared, store: RunStore, workers: int) -> RunRecord:
    corpus, study = prepared.corpus, prepared.study
    train_texts = corpus.parts["train"].take(subset(corpus.parts["train"], run.size, run.seed))
    best: tuple[float, BagOfWords, Scores] | None = None
    for strength, model in fit_path(train_texts, study.task, corpus.outputs):
        scores = _measure_words(model, corpus.parts["valid"], prepared)
        if best is None or better(study.metric, scores[study.metric], best[2][study.metric]):
            best = strength, model, scores
    assert best is not None
    strength, model, valid = best
    test = corpus.parts["test"]
    windows = iter([(slice(0, len(test)), model.logits(test))])
    return RunRecord(
        arm=run.arm,
        size=run.size,
        seed=run.seed,
        setting=dict(run.setting),
        status="done",
        texts=len(train_texts),
        selection=selection(study.metric).model_copy(
            update={"rule": f"regularisation strength with the best valid {study.metric}"}
        ),
        valid=valid,
        test=_write_predictions(windows, prepared, store, run),
        chosen={"inverse_regularisation": strength},
        parameters=Parameters(total=model.parameters, trainable=model.parameters),
        execution=_execution("cpu", "fp64", workers),
        provenance=_provenance(run, prepared),
    )


def _measure_words(model: BagOfWords, examples: Examples, prepared: Prepared) -> Scores:
    counted: Meter = meter(prepared.study.task, prepared.corpus.outputs)
    counted.add(model.logits(examples), torch.from_numpy(examples.labels))
    return counted.scores()
