"""A pack that trains: every run recorded once, and smaller packs where one was too large."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import headstart.training.train_pack as packs
from headstart import cuda, load_study
from headstart.config.runs import Pack, expand_runs
from headstart.engine.kind import force_device_engine
from headstart.engine.train import train
from headstart.errors import ModelError, StackError
from headstart.events import Event, RunEnded, RunStarted
from headstart.methods.base import TrainedMethod
from headstart.methods.full import Full
from headstart.prepared import PreparedRun, PreparedStudy
from headstart.records import RunRecord
from headstart.store.runs import RunStore
from headstart.training.build import build_weights
from headstart.training.prepare import prepare_study
from headstart.training.train_pack import train_pack

TEXTS, BATCH, EPOCHS = 60, 8, 2
STEPS = EPOCHS * -(-TEXTS // BATCH)
TRAINING = {"epochs": EPOCHS, "batch_size": BATCH, "learning_rate": 3e-3, "precision": "fp64"}


class _Heard:
    """The keys of the runs that started and ended."""

    def __init__(self) -> None:
        self.starts: list[str] = []
        self.ends: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.starts.append(event.run.key)
        elif isinstance(event, RunEnded):
            self.ends.append(event.record.key)


class _Study:
    """Runs of two arms, two seeds, made ready and carried out as one pack."""

    def __init__(self, file: Path) -> None:
        study = load_study(file)
        self.runs = expand_runs(study)
        self.prepared: PreparedStudy = prepare_study(study, self.runs)
        self.store, self.heard = RunStore(Path(study.out)), _Heard()
        self.store.open_study(study)

    def train(self) -> dict[str, RunRecord]:
        """The records by run, as they lie on disk."""
        given = train_pack(Pack(self.runs), self.prepared, self.store, 1, self.heard)
        records = {record.key: record for record in self.store.read_records()}
        assert sorted(record.key for record in given) == sorted(records)
        assert {record.key: record for record in given} == records
        return records


@pytest.fixture
def study(study_file: Callable[..., Path]) -> _Study:
    arms = {"tuned": {"init": "pretrained"}, "random": {"init": "random"}, "words": None}
    return _Study(study_file(arms=arms, seeds=[0, 1], training=TRAINING))


def _packs(records: dict[str, RunRecord]) -> list[int]:
    """The size of each run's pack, as its record tells."""
    return [record.execution.pack_size for record in records.values() if record.execution]


def _limit_weights(patch: pytest.MonkeyPatch, most: int, error: Callable[[], Exception]) -> list[int]:
    """Let the making of packs of more than `most` fail; gives the sizes tried."""
    tried: list[int] = []

    def limited(runs: Sequence[PreparedRun], *arguments: Any) -> Any:
        tried.append(len(runs))
        if len(runs) > most:
            raise error()
        return build_weights(runs, *arguments)

    patch.setattr(packs, "build_weights", limited)
    return tried


def _no_memory() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory")


def _assert_whole(study: _Study, records: dict[str, RunRecord]) -> None:
    """Every run is done, with one record, one curve of all its steps, predictions; the best has its model."""
    assert sorted(records) == sorted(run.key for run in study.runs)
    assert {record.status for record in records.values()} == {"done"}
    assert sorted(study.heard.ends) == sorted(records)
    for key in records:
        folder = study.store.get_curves_folder(key)
        assert len(list(folder.iterdir())) == 1, "one file, though smaller packs may have begun again"
        curve = EventAccumulator(str(folder))
        curve.Reload()
        assert [event.step for event in curve.Scalars("train/loss")] == list(range(1, STEPS + 1))
        names = {path.name for path in study.store.get_run_folder(key).iterdir()}
        assert names - {"model"} == {"record.json", "predictions.parquet"}
    for arm in {record.arm for record in records.values()}:
        runs = [record for record in records.values() if record.arm == arm]
        best = min(runs, key=lambda record: (-(record.valid or {})["accuracy"], record.key))
        assert study.store.run_model_folder(best.key).is_dir(), "that of the others may not have been written"
        assert next(key for key in study.heard.ends if key.startswith(arm)) == best.key or any(
            study.store.run_model_folder(run.key).is_dir() for run in runs if run is not best
        ), "who has no model for another's sake is not on record before that one"


def test_a_pack_gives_every_run_its_record_and_curve_and_the_best_its_model(study: _Study) -> None:
    records = study.train()
    _assert_whole(study, records)
    assert _packs(records) == [4] * 4
    assert study.heard.starts == [run.key for run in study.runs]
    assert len({record.valid["loss"] for record in records.values() if record.valid}) == 4


@pytest.mark.parametrize(
    ("most", "tried", "sizes"),
    [(3, [4, 2, 2], [2] * 4), (1, [4, 2, 1, 1, 2, 1, 1], [1] * 4)],
)
def test_a_pack_too_large_for_memory_goes_on_in_halves(
    study: _Study, monkeypatch: pytest.MonkeyPatch, most: int, tried: list[int], sizes: list[int]
) -> None:
    pack_sizes = _limit_weights(monkeypatch, most, _no_memory)
    records = study.train()
    assert pack_sizes == tried
    assert _packs(records) == sizes
    _assert_whole(study, records)


def test_models_that_cannot_be_stacked_after_all_train_one_by_one(
    study: _Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_sizes = _limit_weights(monkeypatch, 1, lambda: StackError("stacked, it computes something else"))
    records = study.train()
    assert pack_sizes == [4, 1, 1, 1, 1]
    assert _packs(records) == [1] * 4
    _assert_whole(study, records)


def test_memory_that_runs_out_after_some_epochs_starts_halves_afresh(
    study: _Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a step, where the engine does not go on in halves itself; nothing of the first try is left."""
    sizes: list[int] = []

    def failing(members: Sequence[Any], *arguments: Any, **more: Any) -> None:
        sizes.append(len(members))
        train(members, *arguments, **more)
        if len(members) > 2:
            raise _no_memory()

    monkeypatch.setattr(packs, "train", failing)
    records = study.train()
    assert sizes == [4, 2, 2]
    _assert_whole(study, records)


def test_the_memory_of_a_pack_is_free_before_its_halves_are_made(
    study: _Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else halves are tried where even less memory is left than the whole pack had."""
    weights_held: list[Any] = []
    alive: list[int] = []

    def failing(members: Sequence[Any], weights: Any, *arguments: Any, **more: Any) -> None:
        gc.collect()
        alive.append(sum(ref() is not None for ref in weights_held))
        weights_held.append(weakref.ref(weights))
        if len(members) > 2:
            raise _no_memory()
        train(members, weights, *arguments, **more)

    monkeypatch.setattr(packs, "train", failing)
    study.train()
    assert alive == [0, 0, 0]


def test_what_a_gpu_keeps_is_given_back_before_halves_are_made(
    study: _Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[object] = []
    tried = _limit_weights(monkeypatch, 2, _no_memory)
    monkeypatch.setattr(cuda, "start_peak_memory", lambda: order.append(f"give back before {len(tried) + 1}"))
    monkeypatch.setattr(cuda, "read_peak_memory", lambda: 77)
    records = study.train()
    assert order == [f"give back before {turn}" for turn in (1, 2, 3)]
    assert {record.peak_device_memory_bytes for record in records.values()} == {77}


def test_a_single_run_that_memory_does_not_hold_has_failed(
    study: _Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    _limit_weights(monkeypatch, 0, _no_memory)
    records = study.train()
    assert sorted(study.heard.ends) == sorted(records)
    for record in records.values():
        assert record.status == "failed"
        assert "OutOfMemoryError: CUDA out of memory" in str(record.error)


def test_a_bug_fails_every_run_with_its_trace(study: _Study, monkeypatch: pytest.MonkeyPatch) -> None:
    pack_sizes = _limit_weights(monkeypatch, 0, lambda: ZeroDivisionError("one by nothing"))
    records = study.train()
    assert pack_sizes[0] == 4
    assert len(records) == 4
    for record in records.values():
        assert (record.status, record.error) == ("failed", "ZeroDivisionError: one by nothing")
        assert "Traceback" in str(record.traceback)


def test_a_run_that_cannot_be_saved_fails_alone(study: _Study, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = study.runs[1].key

    def failing(method: Full, model: Any, prepared: PreparedRun, *more: Any) -> None:
        if prepared.run.key == lost:
            raise ModelError("the saved model gives different logits")
        TrainedMethod.save(method, model, prepared, *more)

    monkeypatch.setattr(Full, "save", failing)
    records = study.train()
    assert [key for key, record in records.items() if record.status == "failed"] == [lost]


def test_beside_a_device_models_are_built_once_where_memory_holds_them_and_nothing_changes(
    study: _Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    build = TrainedMethod.build_model

    def count(self: Any, prepared: Any, *rest: Any) -> Any:
        built.append(prepared.run.key)
        return build(self, prepared, *rest)

    monkeypatch.setattr(TrainedMethod, "build_model", count)
    found = []
    for available, builds in ((1 << 40, 4), (1, 12)):
        monkeypatch.setattr("psutil.virtual_memory", lambda free=available: SimpleNamespace(available=free))
        with force_device_engine():
            found.append({key: (record.valid, record.test) for key, record in study.train().items()})
        assert len(built) == builds
    assert found[0] == found[1]
