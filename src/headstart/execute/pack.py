"""Carries one pack out in this process: trains it, tests each run once, and writes its folder."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from headstart.config.expand import Pack, Run
from headstart.config.metrics import better
from headstart.data.corpus import Examples
from headstart.data.splits import subset
from headstart.engine.evaluate import token_scores, window_logits
from headstart.engine.losses import probabilities
from headstart.engine.member import Member, Setting, improves, selection
from headstart.engine.memory import is_out_of_memory, peak_bytes, reset_peak
from headstart.engine.metrics import Meter, meter
from headstart.engine.schedule import learning_rate
from headstart.engine.train import fresh_optimisers, train
from headstart.engine.weights import Weights
from headstart.errors import HeadstartError, TrainingError
from headstart.execute.answering import samples, test_scores, valid_answers
from headstart.execute.assemble import (
    initial,
    members_of,
    setting_of,
    trained_model,
    trained_rows,
    weights_of,
)
from headstart.execute.group import halves
from headstart.execute.keep import Keeper
from headstart.execute.pin import is_pinned
from headstart.execute.prepare import Prepared
from headstart.execute.saving import save_trained
from headstart.models.bag_of_words import BagOfWords, fit_path
from headstart.models.count import count
from headstart.records import (
    EpochPoint,
    Execution,
    Parameters,
    Provenance,
    RunRecord,
    Sample,
    Scores,
    Selection,
)
from headstart.store.predictions import predictions_file
from headstart.store.provenance import provenance
from headstart.store.runs import RunStore
from headstart.store.trackers import TensorBoard


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
    smaller: list[Pack] = []
    try:
        records = _carry_out(pack, prepared, store, workers, watcher)
    except Exception as error:  # noqa: BLE001 - whatever ends a run must not end the study
        smaller = _smaller(pack, error)
        records = [failed(run, prepared, error) for run in pack.runs]
    if smaller:  # outside of the handler, whose error holds on to what filled the memory
        return [r for part in smaller for r in carry_out(part, prepared, store, workers, watcher)]
    rest = {
        "seconds": time.perf_counter() - started,
        "peak_memory_bytes": peak_bytes(),
        "estimate": pack.estimate,
        "warnings": prepared.notices,
    }
    records = [record.model_copy(update=rest) for record in records]
    for record in records:
        store.write(record)
        watcher.ended(record)
    return records


def _smaller(pack: Pack, error: Exception) -> list[Pack]:
    """What to try instead of a pack that could not be made or trained: halves, or each run by itself."""
    if len(pack.runs) == 1:
        return []
    return halves(pack) if is_out_of_memory(error) else [Pack((run,)) for run in pack.runs]


def failed(run: Run, prepared: Prepared, error: BaseException) -> RunRecord:
    """The record of a run that `error` ended. A mistake has no trace worth reading; a bug has."""
    trace = None if isinstance(error, HeadstartError) else "".join(traceback.format_exception(error))
    what = str(error) if isinstance(error, HeadstartError) else f"{type(error).__name__}: {error}"
    return _record(run, prepared, status="failed", error=what, traceback=trace)


def _record(run: Run, prepared: Prepared, **found: Any) -> RunRecord:
    """What every record says of its run, with what was found."""
    return RunRecord(
        arm=run.arm,
        size=run.size,
        seed=run.seed,
        hyperparameters=dict(run.setting),
        train_examples=texts_of(run, prepared),
        provenance=_provenance(run, prepared),
        **found,
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
    if pack.runs[0].method == "none":
        return [_untrained(run, prepared, store, setting, workers) for run in pack.runs]
    members = members_of(pack.runs, prepared)
    weights = weights_of(pack.runs, prepared, setting)
    optimisers = fresh_optimisers(members, weights)
    keeper = Keeper(members, weights, prepared, setting, store)
    with _Curves(members, store, setting.metric, watcher, keeper) as listener:
        for member in keeper.go_on(members, weights, optimisers):
            listener.repeat(member)
        train(members, weights, setting, listener, optimisers=optimisers)
    execution = _execution(setting, pack.runs[0], prepared, workers, len(pack.runs))
    finish = _Finish(prepared, store, setting, weights, execution)
    return [_ended(member, finish, prepared) for member in members]


class _Curves(ExitStack):
    """Hands what the engine says on to each run's TensorBoard file, to the watcher and to the disk."""

    def __init__(
        self, members: Sequence[Member], store: RunStore, metric: str, watcher: Watcher, keeper: Keeper
    ) -> None:
        super().__init__()
        self._watcher, self._keeper, self._metric = watcher, keeper, metric
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

    def state(self, member: Member, weights: torch.Tensor, optimiser: torch.optim.Optimizer) -> None:
        """Kept on disk from time to time."""
        self._keeper.keep(member, weights, optimiser)

    def repeat(self, member: Member) -> None:
        """Draw again what the run had drawn when its state was kept."""
        run, board = member.run, self._boards[member.run.key]
        for step, loss in enumerate(member.losses, start=1):
            board.step(step, loss, learning_rate(run.training, step - 1, member.total))
        best: EpochPoint | None = None
        for point in member.points:
            best = point if improves(point, best, self._metric) else best
            assert best is not None
            self.epoch(run, point, best)


def _ended(member: Member, finish: Callable[[Member], RunRecord], prepared: Prepared) -> RunRecord:
    """The member's record; what goes wrong with one says nothing of the others."""
    try:
        return finish(member)
    except Exception as error:  # noqa: BLE001 - as above
        return failed(member.run, prepared, error)


@dataclass(frozen=True)
class _Finish:
    """Makes an ended member's record: tests it at its selected epoch, writes predictions and model."""

    prepared: Prepared
    store: RunStore
    setting: Setting
    weights: Weights
    execution: Execution

    def __call__(self, member: Member) -> RunRecord:
        run, best = member.run, member.best
        if member.error is not None or best is None:
            error = member.error or TrainingError("no epoch ended", where=run.key)
            return failed(run, self.prepared, error)
        model = trained_model(member, self.weights, self.prepared, self.setting)
        test = self._test(model, run)
        said = self._samples(model, run)
        answered = {}
        if self.setting.task == "instruction":
            answered = valid_answers(model, run, self.prepared, self.setting)
        limit = self._save(model, run)
        return _record(
            run,
            self.prepared,
            status="done",
            best_epoch=best.epoch,
            selection=selection(self.setting.metric),
            valid=best.valid | answered,
            test=test,
            samples=said,
            epochs=tuple(member.points),
            resolved={"max_length": limit},
            parameters=self._count(model, run),
            execution=self.execution,
        )

    def _test(self, model: torch.nn.Module, run: Run) -> Scores:
        setting = self.setting
        if setting.task == "instruction":
            return test_scores(model, run, self.prepared, setting, self.store.run_folder(run.key))
        tokens = setting.parts["test"].tokens
        windows = window_logits(
            model, tokens, pad_id=setting.pad_id, device=setting.device, precision=setting.precision
        )
        return _write_predictions(windows, self.prepared, self.store, run)

    def _samples(self, model: torch.nn.Module, run: Run) -> tuple[Sample, ...]:
        """Answered before and after, and shown side by side among the curves."""
        if not self.prepared.study.samples:
            return ()
        before = initial(run, self.prepared, self.setting)
        said = samples(before, model, run, self.prepared, self.setting)
        with TensorBoard(self.store.curves_folder(run.key), self.setting.metric) as board:
            for i, sample in enumerate(said):
                board.sample(i, sample)
        return said

    def _count(self, model: torch.nn.Module, run: Run) -> Parameters:
        """A probe's table of features is none of its parameters; its encoder's are."""
        if run.probe is None:
            return count(model)
        own = count(model).trainable
        body: Any = self.prepared.checkpoints[run.checkpoint].skeleton()
        return Parameters(total=count(body.base_model).total + own, trainable=own)

    def _save(self, model: torch.nn.Module, run: Run) -> int:
        """Save the model; gives the most tokens of a text that it was tuned with."""
        checkpoint = self.prepared.checkpoints[run.checkpoint]
        folder = self.store.run_folder(run.key) / "model"
        save_trained(model, run, self.prepared, self.setting.precision, folder)
        return checkpoint.length(run.training.max_length)


def _untrained(run: Run, prepared: Prepared, store: RunStore, setting: Setting, workers: int) -> RunRecord:
    """The record of a language model that is only asked."""
    model = initial(run, prepared, setting)
    texts = {part: setting.parts[part].tokens for part in ("valid", "test")}
    how: dict[str, Any] = {"pad_id": setting.pad_id, "device": setting.device, "precision": setting.precision}
    (valid,) = token_scores(model, texts["valid"], **how)
    return _record(
        run,
        prepared,
        status="done",
        best_epoch=0,
        selection=Selection(metric=setting.metric, rule="no training: the checkpoint as it is"),
        valid=valid | valid_answers(model, run, prepared, setting),
        test=test_scores(model, run, prepared, setting, store.run_folder(run.key)),
        samples=samples(model, model, run, prepared, setting),
        parameters=Parameters(total=count(model).total, trainable=0),
        execution=_execution(setting, run, prepared, workers, 1),
    )


def _execution(setting: Setting, run: Run, prepared: Prepared, workers: int, pack: int) -> Execution:
    return Execution(
        device=str(setting.device),
        precision=setting.precision,
        threads=torch.get_num_threads(),
        workers=workers,
        pack_size=pack,
        vocabulary_rows=trained_rows(run, prepared),
        pinned=is_pinned(),
    )


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
    return _record(
        run,
        prepared,
        status="done",
        selection=selection(study.metric).model_copy(
            update={"rule": f"regularisation strength with the best valid {study.metric}"}
        ),
        valid=valid,
        test=_write_predictions(windows, prepared, store, run),
        resolved={"inverse_regularisation": strength},
        parameters=Parameters(total=model.parameters, trainable=model.parameters),
        execution=Execution(
            device="cpu",
            precision="fp64",
            threads=torch.get_num_threads(),
            workers=workers,
            pinned=is_pinned(),
        ),
    )


def _measure_words(model: BagOfWords, examples: Examples, prepared: Prepared) -> Scores:
    counted: Meter = meter(prepared.study.task, prepared.corpus.outputs)
    counted.add(model.logits(examples), torch.from_numpy(examples.labels))
    return counted.scores()
