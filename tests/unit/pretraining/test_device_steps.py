"""A pretraining's steps on a device: what is captured, and what becomes of what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from captured import CountingCapture
from headstart.engine.graphs import Body
from headstart.engine.kind import force_device_engine
from headstart.pretraining import trainer, validation
from headstart.records.pretraining import PretrainingRecord
from tiny_pretraining import make_roberta, make_settings, pretrain_tiny

STEPS = 6


def train(
    folder: Path, capture: CountingCapture | None, log: Any = lambda sentence: None, **training: Any
) -> tuple[dict[str, torch.Tensor], PretrainingRecord]:
    """Weights and record of steps by the device's code on the CPU."""
    usual: dict[str, Any] = {"steps": STEPS, "precision": "fp32", "accumulation": 2}
    model = make_roberta(dropout=0.1)
    with force_device_engine():
        settings = make_settings(**usual | training).model_copy(update={"eval_every": 3})
        record = pretrain_tiny(settings, model, folder, capture=capture, log=log)
    return model.state_dict(), record


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_passes_and_updates_are_replayed_and_read_nothing(tmp_path: Path) -> None:
    """`CountingCapture` raises where a replay has the host read a number."""
    capture, told = CountingCapture(), list[str]()
    weights, record = train(tmp_path / "captured", capture, told.append)
    assert capture.count == 2
    # Each runs twice as it is: of 12 passes 10 are replays, of 6 updates 4.
    assert capture.replays == 2 * STEPS - 2 + STEPS - 2
    assert (record.captured, record.eager_reason, told) == (True, None, [])
    eager, of_eager = train(tmp_path / "eager", None)
    assert not of_eager.captured
    assert_same(weights, eager)


def test_muons_update_is_not_captured_and_the_log_says_so(tmp_path: Path) -> None:
    capture, told = CountingCapture(), list[str]()
    weights, record = train(tmp_path / "captured", capture, told.append, optimiser="muon")
    assert capture.count == 1
    assert record.captured
    (sentence,) = told
    assert "Muon's update is not captured" in sentence
    eager, _ = train(tmp_path / "eager", None, optimiser="muon")
    assert_same(weights, eager)


def test_where_capturing_fails_steps_run_as_they_are_and_one_line_says_why(tmp_path: Path) -> None:
    told: list[str] = []
    weights, record = train(tmp_path / "failing", CountingCapture(fails=True), told.append)
    assert not record.captured
    assert record.eager_reason == (
        "not captured: RuntimeError: operation not permitted when stream is capturing"
    )
    assert told == [f"steps on cpu: {record.eager_reason}"]
    eager, _ = train(tmp_path / "eager", None)
    assert_same(weights, eager)


class FullCapture(CountingCapture):
    """Has no memory for a second graph."""

    def __call__(self, body: Body) -> Body:
        if self.count:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().__call__(body)


def test_memory_that_runs_out_in_a_capture_ends_no_training(tmp_path: Path) -> None:
    told: list[str] = []
    weights, record = train(tmp_path / "full", FullCapture(), told.append)
    assert record.eager_reason == "not captured: OutOfMemoryError: CUDA out of memory"
    assert len(told) == 1
    eager, _ = train(tmp_path / "eager", None)
    assert_same(weights, eager)


def test_a_validation_without_memory_has_that_of_captured_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a GPU's: graphs keep what a step needs, which validation took before there were any."""
    measure, calls, capture, told = validation.measure_valid, 0, CountingCapture(), list[str]()

    def fail_once(*words: Any) -> dict[str, float]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return measure(*words)

    monkeypatch.setattr(trainer, "measure_valid", fail_once)
    weights, record = train(tmp_path / "short", capture, told.append)
    assert capture.released == 1
    assert (capture.count, record.captured) == (2, False)
    assert told == ["steps on cpu: not captured: validation needs the memory"]
    monkeypatch.undo()
    eager, _ = train(tmp_path / "eager", None)
    assert_same(weights, eager)


def test_validation_that_has_no_memory_without_graphs_either_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: Any) -> dict[str, float]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer, "measure_valid", fail)
    with pytest.raises(torch.OutOfMemoryError):
        train(tmp_path, None)


def test_captured_or_not_is_nothing_that_a_state_depends_on(tmp_path: Path) -> None:
    settings = [make_settings(graph=graph) for graph in ("auto", "off")]
    records = [pretrain_tiny(each, make_roberta(), tmp_path) for each in settings]
    assert [record.steps for record in records] == [3, 3]  # the second goes on from the first's state
    assert records[0].points == records[1].points
