"""Whole studies in packs: the numbers, models and curves of runs by themselves, and workers that die."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from headstart import load_study, run
from headstart.cli import main
from headstart.config.runs import expand_runs
from headstart.events import Event, StepDone
from headstart.methods.base import TrainedMethod
from headstart.processors import list_processors
from headstart.records import RunRecord
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]
PAIR: dict[str, Any] = {"pretrained": {"init": "pretrained"}, "random": {"init": "random"}, "words": None}
TRAINING: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 3e-3,
    "weight_decay": 0.3,
    "precision": "fp64",
}
KEYS = [
    f"{arm}/{size}/{seed}" for arm in ("pretrained", "random") for size in ("20", "all") for seed in (0, 1)
]
STEPS = {"20": 6, "all": 16}
TABLE = "bert.embeddings.word_embeddings.weight"
#: What says how and when a run was made, and no more.
_CIRCUMSTANCES = {"seconds", "estimate", "execution", "provenance"} | {
    "digest",  # of all else, and of files that are rounded otherwise
    "files",
    "peak_memory_bytes",
    "peak_device_memory_bytes",
}


@pytest.fixture(autouse=True, scope="module")
def _one_processor() -> Iterator[None]:
    """One thread in workers too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headstart.planning.host.count_processors", lambda: 1)
        yield


@dataclass(frozen=True)
class Done:
    """A study that was run."""

    out: Path

    @property
    def facts(self) -> dict[str, Any]:
        """The content of `results.json`."""
        facts: dict[str, Any] = json.loads((self.out / "results.json").read_text(encoding="utf-8"))
        return facts

    @property
    def records(self) -> dict[str, RunRecord]:
        """The records by run."""
        return {record.key: record for record in RunStore(self.out).read_records()}

    def said(self, key: str) -> list[float]:
        """A run's probabilities of the first label for all test examples."""
        columns = pq.read_table(self.out / "runs" / key / "predictions.parquet").to_pydict()
        return list(columns["p_bad"])

    def model(self, arm: str) -> dict[str, torch.Tensor]:
        """The weights of the arm's best model."""
        return load_file(self.out / "models" / arm / "model.safetensors")


@pytest.fixture(scope="module")
def make(study_in: StudyFile, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Done]:
    """Runs a study of two arms, two sizes and two seeds in this process, with changes."""

    def of(**changes: Any) -> Done:
        folder = tmp_path_factory.mktemp("study")
        common = {"arms": PAIR, "sizes": [20, "all"], "seeds": [0, 1], "training": TRAINING}
        assert main(["run", str(study_in(folder, **{**common, **changes}))]) == 0
        return Done(folder / "out")

    return of


@pytest.fixture(scope="module")
def alone(make: Callable[..., Done]) -> Done:
    return make(pack=1)


@pytest.fixture(scope="module")
def packed(make: Callable[..., Done]) -> Done:
    return make(pack=4)


def _numbers(values: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in `facts` with its path, but those that say how it was computed."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            if key not in _CIRCUMSTANCES:
                yield from _numbers(value, f"{where}.{key}")
    elif isinstance(values, list):
        for i, value in enumerate(values):
            yield from _numbers(value, f"{where}[{i}]")
    else:
        yield where, values


def _assert_same_numbers(one: Done, other: Done) -> None:
    for part in ("runs", "summary", "contrasts", "grid_search"):
        actual, expected = dict(_numbers(one.facts[part])), dict(_numbers(other.facts[part]))
        assert actual.keys() == expected.keys()
        differ = {
            where: (actual[where], value) for where, value in expected.items() if actual[where] != value
        }
        assert not {
            where: pair for where, pair in differ.items() if pair[0] != pytest.approx(pair[1], abs=1e-9)
        }
    for key in other.records:
        assert one.said(key) == pytest.approx(other.said(key), abs=1e-9)


# The same study, packed


def test_a_packed_study_gives_the_numbers_of_runs_by_themselves(packed: Done, alone: Done) -> None:
    assert sorted(packed.records) == sorted(alone.records) == sorted(KEYS)
    _assert_same_numbers(packed, alone)


def test_the_numbers_compared_are_many_and_unlike(alone: Done) -> None:
    """Else equality would say nothing."""
    losses = [record.test["loss"] for record in alone.records.values() if record.test]
    assert len(set(losses)) == len(KEYS)
    assert sum(isinstance(value, float) for _, value in _numbers(alone.facts["runs"])) > 8 * 15


def test_records_tell_the_pack_they_trained_in(packed: Done, alone: Done) -> None:
    for study, size in ((packed, 4), (alone, 1)):
        assert {r.execution.pack_size for r in study.records.values() if r.execution} == {size}


@pytest.mark.parametrize("arm", ["pretrained", "random"])
def test_saved_models_are_equal(packed: Done, alone: Done, arm: str) -> None:
    actual, expected = packed.model(arm), alone.model(arm)
    assert actual.keys() == expected.keys()
    assert max(float((actual[name] - value).abs().max()) for name, value in expected.items()) < 1e-6
    notes = [
        json.loads((done.out / "models" / arm / "headstart.json").read_text("utf-8"))
        for done in (packed, alone)
    ]
    # The card has scores to their last digit, and so has a digest of its own.
    same = {"valid": pytest.approx(notes[1]["valid"], abs=1e-9), "card": notes[0]["card"]}
    assert notes[0] == {**notes[1], **same}


@pytest.mark.parametrize("key", KEYS)
def test_every_run_has_a_curve_of_its_own(packed: Done, alone: Done, key: str) -> None:
    curves = []
    for study in (packed, alone):
        events = EventAccumulator(str(study.out / "tensorboard" / key))
        events.Reload()
        curves.append(
            {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
        )
    actual, expected = curves
    assert actual.keys() == expected.keys()
    assert [step for step, _ in actual["train/loss"]] == list(range(1, STEPS[key.split("/")[1]] + 1))
    for tag, points in expected.items():
        assert actual[tag] == [(step, pytest.approx(value, abs=1e-6)) for step, value in points]


# The vocabulary


@pytest.fixture(scope="module")
def full(make: Callable[..., Done]) -> Done:
    return make(pack=4, vocabulary="full")


def test_a_full_vocabulary_gives_the_same_numbers(packed: Done, full: Done) -> None:
    _assert_same_numbers(packed, full)


def _unused(out: Path) -> torch.Tensor:
    """The ids that no text of the study uses, by the tokens of its own preparation."""
    study = load_study(out / "study.yaml")
    prepared = prepare_study(study, expand_runs(study))
    (ids,) = prepared.used_ids.values()
    assert ids is not None
    (checkpoint,) = prepared.checkpoints.values()
    return torch.tensor(sorted(set(range(checkpoint.config.vocab_size)) - set(ids.tolist())))


def test_records_tell_how_many_rows_were_trained(packed: Done, full: Done) -> None:
    rows = len(full.model("random")[TABLE])
    (used,) = {r.execution.vocabulary_rows for r in packed.records.values() if r.execution}
    assert used == rows - len(_unused(packed.out)) < rows
    assert {r.execution.vocabulary_rows for r in full.records.values() if r.execution} == {None}


@pytest.mark.parametrize("arm", ["pretrained", "random"])
def test_rows_that_no_text_uses_have_decayed_as_in_full_training(packed: Done, full: Done, arm: str) -> None:
    actual, expected = packed.model(arm), full.model(arm)
    assert {name: x.shape for name, x in actual.items()} == {name: x.shape for name, x in expected.items()}
    assert max(float((actual[name] - value).abs().max()) for name, value in expected.items()) < 1e-6


def test_in_float64_they_have_decayed_in_float64(packed: Done, full: Done) -> None:
    assert float((packed.model("random")[TABLE] - full.model("random")[TABLE]).abs().max()) < 1e-9


def test_they_did_decay(packed: Done, tiny_model: Path) -> None:
    unused = _unused(packed.out)
    begun = load_file(tiny_model / "model.safetensors")[TABLE].double()[unused]
    ended = packed.model("pretrained")[TABLE].double()[unused]
    factor = ended / begun
    known = begun.abs() > 1e-3
    assert known.any()
    assert float(factor[known].std()) < 1e-6
    assert 0.5 < float(factor[known].mean()) < 0.9999


# Workers


def test_two_workers_train_packs_of_two(make: Callable[..., Done], alone: Done) -> None:
    done = make(workers=2, pack=2)
    executed = [r.execution for r in done.records.values() if r.execution]
    assert {(one.workers, one.pack_size) for one in executed} == {(2, 2)}
    assert {one.pinned for one in executed} == {len(list_processors()) > 1}
    _assert_same_numbers(done, alone)


def _killed(study_in: StudyFile, folder: Path, times: int) -> tuple[RunRecord, ...]:
    """The records of a pack of four whose one worker is killed so many times, at the first step told of."""
    training = {**TRAINING, "epochs": 8}
    file = study_in(folder, arms=PAIR, seeds=[0, 1], training=training, workers=1, pack=4)
    killed: list[int | None] = []

    def kill(event: Event) -> None:
        if not isinstance(event, StepDone):
            return
        (worker,) = multiprocessing.active_children()
        if len(killed) < times and worker.pid not in killed:
            killed.append(worker.pid)
            worker.kill()

    return run(load_study(file), kill).records


def _sizes(records: tuple[RunRecord, ...]) -> list[int]:
    return sorted(record.execution.pack_size for record in records if record.execution)


@pytest.mark.parametrize(
    ("times", "sizes"),
    [
        pytest.param(1, [4, 4, 4, 4], marks=pytest.mark.long),
        (2, [2, 2, 2, 2]),
        pytest.param(4, [1, 1, 2, 2], marks=pytest.mark.long),
    ],
)
def test_a_pack_whose_worker_was_killed_is_trained_again_and_then_in_halves(
    study_in: StudyFile, tmp_path: Path, times: int, sizes: list[int]
) -> None:
    records = _killed(study_in, tmp_path, times)
    assert [record.status for record in records] == ["done"] * 4
    assert _sizes(records) == sizes


def test_a_run_whose_worker_was_killed_twice_while_it_was_alone_has_failed(
    study_in: StudyFile, tmp_path: Path
) -> None:
    records = _killed(study_in, tmp_path, 6)
    (lost,) = (record for record in records if record.status == "failed")
    assert "its process was killed by signal 9" in str(lost.error)
    assert _sizes(records) == [1, 2, 2]


# The plan


def test_the_plan_shows_which_runs_can_train_as_one(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = {**PAIR, "words": {"method": "bag-of-words"}}
    assert main(["plan", str(study_in(tmp_path, arms=arms, seeds=[0, 1])), "--json"]) == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    assert [{key: group[key] for key in ("runs", "alone")} for group in groups] == [
        {"runs": ["pretrained/all/0", "random/all/0", "pretrained/all/1", "random/all/1"], "alone": None},
        {"runs": ["words/all/0", "words/all/1"], "alone": "a bag of words is fitted"},
    ]


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the runs whose models were written, in this process; add `!` to a key to have it fail."""
    keys: list[str] = []
    save = TrainedMethod.save

    def remember(self: Any, model: Any, prepared: Any, *rest: Any) -> None:
        if f"{prepared.run.key}!" in keys:
            raise OSError("no space left on device")
        keys.append(prepared.run.key)
        save(self, model, prepared, *rest)

    monkeypatch.setattr(TrainedMethod, "save", remember)
    return keys


def _run_pack(study_file: StudyFile, out: Path) -> dict[str, RunRecord]:
    file = study_file(arms=PAIR, seeds=3, training=TRAINING, pack=6, out=str(out))
    main(["run", str(file)])
    return {record.key: record for record in RunStore(out).read_records()}


def test_of_a_pack_only_models_that_are_kept_are_written(
    study_file: StudyFile, tmp_path: Path, saved: list[str]
) -> None:
    records = _run_pack(study_file, tmp_path / "out")
    assert all(record.status == "done" for record in records.values())
    for arm in ("pretrained", "random"):
        runs = [record for record in records.values() if record.arm == arm]
        best = max(runs, key=lambda record: (record.valid or {})["accuracy"])  # of equals the first seed
        assert [key for key in saved if key.startswith(arm)] == [best.key]
        notes = json.loads((tmp_path / "out" / "models" / arm / "headstart.json").read_text("utf-8"))
        assert notes["run"] == best.key


def test_where_the_best_model_cannot_be_written_the_next_is(
    study_file: StudyFile, tmp_path: Path, saved: list[str]
) -> None:
    _run_pack(study_file, tmp_path / "first")
    (best,) = [key for key in saved if key.startswith("pretrained")]
    saved[:] = [f"{best}!"]
    records = _run_pack(study_file, tmp_path / "second")
    assert records[best].status == "failed"
    (second,) = [key for key in saved if key.startswith("pretrained") and not key.endswith("!")]
    notes = json.loads((tmp_path / "second" / "models" / "pretrained" / "headstart.json").read_text("utf-8"))
    assert notes["run"] == second != best
