"""What one `run` does once: it prepares, and reads each record and each predictions file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headstart import load_study, plan, run
from headstart.events import Event, RunEnded

StudyFile = Callable[..., Path]
ARMS = {"pretrained": {}, "random": {"init": "random"}, "words": {"method": "bag-of-words"}}


@pytest.mark.parametrize("workers", [0, 1])
def test_one_run_prepares_once_and_reads_nothing_twice(
    study_file: StudyFile, counts: Callable[..., dict[str, int]], workers: int
) -> None:
    """The five metrics of a classification are all of one file a run."""
    calls = counts()
    results = run(load_study(study_file(arms=ARMS, seeds=[0, 1], workers=workers)))
    assert len(results.findings.metrics) == 5
    assert calls["studies prepared"] == calls["data loaded"] == calls["checkpoints opened"] == 1
    assert calls["records parsed"] == 0
    assert calls["predictions read"] == 6
    assert calls["workers started"] == workers


def test_a_run_on_a_folder_parses_each_record_once(
    study_file: StudyFile, counts: Callable[..., dict[str, int]]
) -> None:
    file = study_file(arms=ARMS)
    run(load_study(file))
    calls = counts()
    results = run(load_study(file, ["seeds=2"]))
    assert len(results.records) == 6
    assert (calls["records parsed"], calls["predictions read"]) == (3, 6)
    calls = counts()
    run(load_study(file, ["seeds=2"]))
    assert (calls["records parsed"], calls["predictions read"], calls["workers started"]) == (6, 6, 0)


def test_a_plan_parses_each_record_and_its_predictions_once(
    study_file: StudyFile, counts: Callable[..., dict[str, int]]
) -> None:
    file = study_file(arms=ARMS)
    run(load_study(file))
    calls = counts()
    assert len(plan(load_study(file, ["seeds=2"])).done) == 3
    assert (calls["records parsed"], calls["predictions read"]) == (3, 3), "they hold what records say"
    assert (calls["studies prepared"], calls["workers started"]) == (1, 0)


def test_records_that_were_told_of_are_those_on_disk(study_file: StudyFile, tmp_path: Path) -> None:
    """What `run` concludes from was never read back."""
    study = load_study(study_file(arms=ARMS, workers=1))
    returned = run(study)
    assert run(study).findings == returned.findings
    assert run(study).to_dict() == returned.to_dict()


def test_a_model_is_promoted_before_its_end_is_told(study_file: StudyFile, tmp_path: Path) -> None:
    """Who listens may open it."""
    promoted: list[bool] = []

    def on_event(event: Event) -> None:
        if isinstance(event, RunEnded):
            promoted.append((tmp_path / "out" / "models" / event.record.arm).is_dir())

    run(load_study(study_file(arms={"pretrained": {}, "words": None})), on_event)
    assert promoted == [True]
