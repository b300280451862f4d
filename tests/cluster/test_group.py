"""Studies that several processes train together: equal to one process, resumed, failed in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from answering_studies import write_answering_study
from headstart import Results, load_study, run
from headstart.errors import HeadstartError
from headstart.events import EpochDone, Event, OnEvent, StepDone, ignore_events
from headstart.execute.group import GroupBackend
from headstart.execute.worker_process import WorkerProcess
from headstart.records import RunRecord
from headstart.store.runs import RunStore

StudyFile = Callable[..., Path]
ARMS = {
    "full": {"training": {"learning_rate": 1e-3}},
    "lora": {"method": "lora", "lora": {"r": 2, "dropout": 0.1}},
    "words": {"method": "bag-of-words"},
}


_FULL = {"full": ARMS["full"], "words": None}


def _run(
    study_file: StudyFile,
    out: Path,
    on_event: OnEvent = ignore_events,
    *,
    epochs: int = 2,
    arms: Any = ARMS,
    **changes: Any,
) -> dict[str, RunRecord]:
    training = {"epochs": epochs, "batch_size": 6, "precision": "fp64", "clip": 0.5}
    file = study_file(arms=arms, out=str(out), training=training, workers=1, pack=1, **changes)
    results: Results = run(load_study(file), on_event)
    return {record.arm: record for record in results.findings.records}


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_a_study_is_what_it_is_in_one_process(study_file: StudyFile, tmp_path: Path, kind: str) -> None:
    alone = _run(study_file, tmp_path / "alone")
    together = _run(study_file, tmp_path / "together", parallel={"kind": kind, "processes": 2})
    assert [record.error for record in together.values()] == [None, None, None]
    for arm in ("full", "lora"):
        was, now = alone[arm], together[arm]
        assert now.execution is not None
        assert (now.execution.parallel, now.execution.processes) == (kind, 2)
        assert [point.valid for point in now.epochs] == [pytest.approx(p.valid, abs=1e-9) for p in was.epochs]
        assert now.test == pytest.approx(was.test, abs=1e-9)
        assert now.best_epoch == was.best_epoch
    assert together["words"].test == alone["words"].test
    assert (tmp_path / "together" / "models" / "full" / "model.safetensors").exists()
    assert (tmp_path / "together" / "models" / "lora" / "adapter_model.safetensors").exists()


def test_a_process_that_dies_ends_the_run_in_one_sentence_and_its_state_is_resumed(
    study_file: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed once a state of it is there; then one process goes on as if it had come so far itself."""
    monkeypatch.setenv("HEADSTART_STATE_SECONDS", "0")
    processes: list[psutil.Process] = []
    real = GroupBackend._seat

    def seat(self: GroupBackend, worker: WorkerProcess, *args: Any) -> None:
        processes.append(psutil.Process(worker.process.pid))
        real(self, worker, *args)

    def kill(event: Event) -> None:
        if isinstance(event, EpochDone) and list(out.glob("runs/full/all/0/checkpoint/state.safetensors")):
            processes[1].kill()

    monkeypatch.setattr(GroupBackend, "_seat", seat)
    alone = _run(study_file, tmp_path / "alone", arms=_FULL, epochs=8)["full"]
    out = tmp_path / "together"
    with pytest.raises(HeadstartError, match="every run failed"):
        _run(study_file, out, kill, arms=_FULL, epochs=8, parallel={"kind": "fsdp", "processes": 2})
    (failed,) = RunStore(out).read_records()
    assert failed.error is not None
    assert failed.error.startswith("run full/all/0: process 2 of 2: it was killed by signal 9")
    assert failed.traceback is None
    assert not any(process.is_running() for process in processes)
    heard: list[Event] = []
    record = _run(study_file, out, heard.append, arms=_FULL, epochs=8, parallel=None)["full"]
    assert next(event.step for event in heard if isinstance(event, StepDone)) in range(11, 80, 10)
    assert record.execution is not None
    assert record.execution.parallel is None
    assert [p.valid for p in record.epochs] == [pytest.approx(p.valid, abs=1e-9) for p in alone.epochs]
    assert record.test == pytest.approx(alone.test, abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parallel": "ddp"}, "parallel.processes: auto, and there is no GPU"),
        ({"parallel": {"kind": "ddp", "processes": 1}}, "'auto', or 2 to 1,024 expected, got 1"),
        ({"parallel": "zero"}, "'ddp' or 'fsdp'"),
        ({"parallel": "ddp", "pack": 2}, "pack: 2 runs as one cannot be shared out"),
        ({"parallel": "ddp", "workers": 0}, "workers: one model trains at a time with parallel: ddp"),
        ({"parallel": "fsdp", "arms": {"a": {"method": "qlora"}}}, "arms.a.method: qlora does not go with"),
        ({"parallel": "fsdp", "arms": {"a": {"method": "probe"}}}, "arms.a.method: probe does not go with"),
        ({"parallel": "fsdp", "arms": {"a": {"init": "adapted"}}}, "arms.a.init: adapted does not go with"),
    ],
    ids=["no GPU", "one process", "kind", "pack", "workers", "qlora", "probe", "adapted"],
)
def test_what_cannot_be_is_said_before_anything_trains(
    study_file: StudyFile, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(HeadstartError) as caught:
        run(load_study(study_file(**({"workers": 1} | changes))))
    assert message in str(caught.value)


def test_torchrun_needs_the_section_and_its_own_number(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    _enter_torchrun(monkeypatch, rank=0)
    with pytest.raises(HeadstartError, match="torchrun has begun 2 processes, and the study trains"):
        run(load_study(study_file(workers=1)))
    with pytest.raises(HeadstartError, match="3 processes, and torchrun has begun 2"):
        run(load_study(study_file(workers=1, parallel={"kind": "ddp", "processes": 3})))
    _enter_torchrun(monkeypatch, rank=1)
    with pytest.raises(HeadstartError, match="a study was started in each process of torchrun"):
        run(load_study(study_file(workers=1, parallel="ddp")))


def _enter_torchrun(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    for name, value in {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")


@pytest.mark.parametrize("packing", [False, True], ids=["a row each", "packed"])
def test_conversations_are_what_they_are_in_one_process(
    tiny_bloom: Path, tmp_path: Path, packing: bool
) -> None:
    """Of batches in which tokens count, and not texts; answered by the first process alone."""
    rows = [{"prompt": f"say {'a' * (1 + i % 5)}", "response": "b" * (1 + i % 7)} for i in range(36)]

    def train(name: str, **changes: Any) -> RunRecord:
        file = write_answering_study(
            tmp_path,
            tiny_bloom,
            {"train": rows[:22], "valid": rows[22:28], "test": rows[28:]},
            arms={"full": {}},
            training={"epochs": 1, "batch_size": 5, "accumulation": 2, "precision": "fp64"},
            prompts={"packing": packing},
            generation={"texts": 2, "max_new_tokens": 4},
            workers=1,
            out=str(tmp_path / name),
            **changes,
        )
        (record,) = run(load_study(file)).findings.records
        return record

    alone, together = train("alone"), train("together", parallel={"kind": "fsdp", "processes": 2})
    assert together.error is None
    assert together.epochs[0].train_loss == pytest.approx(alone.epochs[0].train_loss, abs=1e-9)
    assert together.test == pytest.approx(alone.test, abs=1e-9)
