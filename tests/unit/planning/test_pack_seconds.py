"""Packs take what runs of their arm and size took on the same kind of device; else what timed steps say."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.config.runs import Pack, Run, expand_runs
from headstart.planning.pack_seconds import RECORDS, STEPS, find_pack_seconds
from headstart.planning.time_model import DRIFT
from headstart.records import Estimate, Execution, Range, RunRecord
from studies import make_record, make_study

TIMED = Range(low=7, high=9)


def find_run(arm: str) -> Run:
    study = make_study(
        arms={"pretrained": {}, "random": {"init": "random"}, "words": {"method": "bag-of-words"}}
    )
    return next(run for run in expand_runs(study) if run.arm == arm)


def make_pack(arm: str, runs: int = 1, estimate: Estimate | None = None) -> Pack:
    return Pack((find_run(arm),) * runs, estimate)


def record(arm: str, seconds: float, *, device: str = "cpu", pack: int = 1, **more: Any) -> RunRecord:
    execution = Execution(device=device, precision="fp32", threads=1, workers=1, pack_size=pack)
    return make_record(arm, 0, 0.5, seconds=seconds, execution=execution, **more)


def test_records_come_before_timed_steps_with_their_least_and_most() -> None:
    pack = make_pack("random", 2, Estimate(seconds=TIMED))
    records = [record("random", 100), record("random", 140), record("pretrained", 1)]
    found = find_pack_seconds([pack], records, on_gpu=False, are_timed=True)
    assert found.sources == (RECORDS,)
    assert found.known[0].low == pytest.approx(200 * (1 - DRIFT))
    assert found.known[0].high == pytest.approx(280 * (1 + DRIFT))


def test_a_run_of_a_pack_counts_with_its_part() -> None:
    found = find_pack_seconds(
        [make_pack("random")], [record("random", 100, pack=4)], on_gpu=False, are_timed=False
    )
    assert found.known[0].low == pytest.approx(25 * (1 - DRIFT))


def test_seconds_of_another_device_are_none() -> None:
    pack = make_pack("random", 1, Estimate(seconds=TIMED))
    on_gpu = [record("random", 100, device="cuda: NVIDIA H100")]
    here = find_pack_seconds([pack], on_gpu, on_gpu=False, are_timed=True)
    assert (here.spans, here.sources) == ((TIMED,), (STEPS,))
    assert find_pack_seconds([pack], on_gpu, on_gpu=True, are_timed=False).sources == (RECORDS,)
    assert find_pack_seconds([pack], [], on_gpu=True, are_timed=False).spans == (None,)


def test_runs_that_failed_tell_nothing() -> None:
    failed = make_record("random", 0, None, seconds=3.0)
    assert find_pack_seconds([make_pack("random")], [failed], on_gpu=False, are_timed=True).spans == (None,)


def test_tuning_runs_stand_for_judged_ones_where_there_are_no_others() -> None:
    for_tuning = record("random", 50, for_tuning=True)
    known = find_pack_seconds([make_pack("random")], [for_tuning], on_gpu=False, are_timed=False).known
    assert known[0].low == pytest.approx(50 * (1 - DRIFT))
    both = [for_tuning, record("random", 60)]
    known = find_pack_seconds([make_pack("random")], both, on_gpu=False, are_timed=False).known
    assert known[0].low == pytest.approx(60 * (1 - DRIFT))


def test_a_bag_of_words_takes_none_unless_it_is_on_record_wherever() -> None:
    words = make_pack("words")
    assert find_pack_seconds([words], [], on_gpu=True, are_timed=False).known == (Range(low=0, high=0),)
    known = find_pack_seconds([words], [record("words", 10)], on_gpu=True, are_timed=False).known
    assert known[0].high == pytest.approx(10 * (1 + DRIFT))
