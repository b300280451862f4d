"""Runs that one process tells another of: found again in its own reading of the study, or said to be none."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest

from headstart.config.runs import Pack, Run, expand_runs
from headstart.errors import HeadstartError
from headstart.execute import torchrun
from headstart.execute.open_study import OpenStudy
from headstart.execute.queued_packs import describe_pack, describe_run, find_queued_run
from headstart.records import Estimate, Range
from headstart.records.queue import LONGEST_SECONDS, QueuedRun
from studies import make_study

TUNED = make_study(seeds=2, tune={"learning_rate": [1e-4, 3e-4], "weight_decay": [0, 0.1], "seeds": [1000]})
POINT = (("learning_rate", 3e-4), ("weight_decay", 0.0))
RUNS = expand_runs(TUNED, {(arm, "all"): POINT for arm in TUNED.arms})


def _send(run: Run) -> QueuedRun:
    return QueuedRun.model_validate_json(describe_run(run).model_dump_json())


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.key)
def test_a_run_is_found_again_by_what_is_told_of_it(run: Run) -> None:
    assert find_queued_run(TUNED, _send(run)) == run


def test_of_another_study_it_is_none() -> None:
    assert find_queued_run(make_study(seeds=2), _send(RUNS[0])) is None


def _open(**changes: Any) -> OpenStudy:
    return cast(OpenStudy, SimpleNamespace(study=make_study(**changes)))


def test_torchruns_processes_find_a_run_of_a_seed_that_was_added() -> None:
    run = next(run for run in expand_runs(make_study(seeds=4)) if run.seed == 3)
    assert torchrun._find_run(_send(run), _open(seeds=2)).key == run.key


def test_torchruns_processes_say_that_they_read_another_study() -> None:
    with pytest.raises(HeadstartError, match="the study that this one reads has no such run"):
        torchrun._find_run(_send(RUNS[0]), _open(seeds=2))


@pytest.mark.parametrize("seconds", [1e300, math.inf, math.nan])
def test_a_pack_has_a_deadline_whatever_was_expected_of_it(seconds: float) -> None:
    """As of a queue that was damaged, and whose packs are in hand."""
    pack = Pack(RUNS[:1], Estimate(seconds=Range(low=1.0, high=seconds)))
    assert 600.0 <= describe_pack(pack).deadline <= LONGEST_SECONDS
