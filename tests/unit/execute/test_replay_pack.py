"""A run is trained again under its record's conditions, within what this machine has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from headstart.config.runs import Pack, expand_runs
from headstart.execute import replay_pack as replaying
from headstart.execute.replay_pack import PackToReplay, _place, _setting_threads, _settle_study, trained_here
from headstart.records import Execution, PlacementRecord
from headstart.store.layout import StudyLayout
from studies import make_record, make_study

STUDY = make_study(device="auto", trackers=["tensorboard"])


def make_execution(**changes: Any) -> Execution:
    values = {"device": "cpu", "precision": "fp32", "threads": 2, "workers": 1}
    return Execution.model_validate(values | changes)


def want(execution: Execution | None, *, here: bool = False) -> PackToReplay:
    record = make_record("random", 0, 0.5).model_copy(update={"execution": execution})
    pack = Pack(expand_runs(STUDY)[:2])
    return PackToReplay(StudyLayout(Path("out")), STUDY, record, pack, here)


def make_placement(workers: int) -> PlacementRecord:
    return PlacementRecord(machine="m", asked={}, workers=workers, threads=1, pack=1, reason="r")


@pytest.mark.parametrize(
    ("placement", "execution", "is_here"),
    [
        (make_placement(0), make_execution(), True),
        (make_placement(0), None, True),
        (make_placement(1), make_execution(), False),
        (make_placement(0), make_execution(workers=2), False),
        (make_placement(0), make_execution(pinned=True), False),
        (None, make_execution(), False),
    ],
)
def test_a_study_trained_here_by_all_that_its_folder_tells(
    placement: PlacementRecord | None, execution: Execution | None, is_here: bool
) -> None:
    assert trained_here(placement, execution) is is_here


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("cpu", "full", None)),
        ({"device": "cuda: H100", "vocabulary_rows": 9}, ("auto", "used", None)),
        ({"parallel": "fsdp", "processes": 2}, ("cpu", "full", ("fsdp", 2))),
    ],
    ids=["cpu", "gpu", "group"],
)
def test_a_study_is_settled_as_the_run_was_computed(changes: dict[str, Any], expected: Any) -> None:
    study = _settle_study(STUDY, make_execution(**changes), Path("again"))
    parallel = study.parallel and (study.parallel.kind, study.parallel.processes)
    assert (study.device, study.vocabulary, parallel) == expected
    assert (study.out, study.trackers, study.report) == ("again", (), False)


@pytest.mark.parametrize(("captured", "graph"), [(True, "auto"), (False, "off")])
def test_steps_are_captured_and_compiled_as_they_were(captured: bool, graph: str) -> None:
    execution = make_execution(captured=captured, compiled=not captured)
    settled = _settle_study(STUDY, execution, Path("again")).execution
    assert (settled.graph, settled.compile) == (graph, "off" if captured else "on")


def test_without_an_execution_on_record_only_the_folder_is_another() -> None:
    study = _settle_study(STUDY, None, Path("again"))
    assert (study.device, study.vocabulary, study.parallel) == ("auto", STUDY.vocabulary, STUDY.parallel)


@pytest.mark.parametrize(
    ("execution", "here", "expected"),
    [
        (make_execution(), True, (0, 0)),
        (None, False, (1, 0)),
        (make_execution(), False, (1, 2)),
        (make_execution(workers=3), False, (1, 2)),
        (make_execution(workers=3, pinned=True), False, (3, 2)),
        (make_execution(workers=10**6, pinned=True), False, (4, 2)),
        (make_execution(workers=-1, pinned=True), False, (1, 2)),
        (make_execution(threads=-7), False, (1, 0)),
        (make_execution(threads=10**9), False, (1, 1024)),
    ],
)
def test_processes_and_threads_are_the_records_within_what_there_is(
    execution: Execution | None, here: bool, expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "count_processors", lambda: 4)
    placement = _place(want(execution, here=here))
    assert (placement.workers, placement.threads) == expected
    assert placement.pack == 2


def test_threads_of_this_process_are_given_back() -> None:
    before = torch.get_num_threads()
    wanted = want(make_execution(threads=before + 1), here=True)
    with _setting_threads(wanted):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with _setting_threads(replace(wanted, in_this_process=False)):
        assert torch.get_num_threads() == before, "a worker has its own"
