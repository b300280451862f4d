"""The pack of a run that is done: as it was cut, its halves, and what records alone tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headstart.planning.same_pack import find_pack, find_recorded_run
from headstart.records import Execution, PlacementRecord, RunRecord
from studies import make_record, make_study

STUDY = make_study(seeds=4, arms={"pretrained": {}, "random": {"init": "random"}, "words": None})
KEYS = tuple(f"random/all/{seed}" for seed in range(4))


def _record(seed: int, pack: int, *, seconds: float = 1.0, arm: str = "random", **more: Any) -> RunRecord:
    execution = Execution(device="cpu", precision="fp32", threads=1, workers=1, pack_size=pack)
    return make_record(arm, seed, 0.5, execution=execution, seconds=seconds, **more)


def _place(*packs: Sequence[str]) -> PlacementRecord:
    kept = tuple(map(tuple, packs))
    return PlacementRecord(machine="m", asked={}, workers=1, threads=1, pack=4, reason="", packs=kept)


def _find(record: RunRecord, placement: PlacementRecord | None, *others: RunRecord) -> list[str] | None:
    pack = find_pack(STUDY, record, placement, {one.key: one for one in (record, *others)})
    return None if pack is None else [run.key for run in pack.runs]


def test_a_run_by_itself_needs_no_placement() -> None:
    assert _find(_record(1, 1), None) == [KEYS[1]]


def test_it_is_the_pack_that_was_cut_with_as_many_runs() -> None:
    assert _find(_record(2, 4), _place(KEYS[:2], KEYS)) == [*KEYS]


def test_of_a_pack_that_was_halved_it_is_the_half() -> None:
    assert _find(_record(2, 2), _place(KEYS)) == [*KEYS[2:]]


def test_without_placement_runs_of_the_same_seconds_are_one_in_the_studys_order() -> None:
    others = [_record(0, 2, seconds=1.25), _record(1, 2, seconds=7.5)]
    assert _find(_record(3, 2, seconds=1.25), None, *others) == [KEYS[0], KEYS[3]]


def test_none_where_a_run_of_it_is_not_known() -> None:
    assert _find(_record(3, 3, seconds=1.25), None, _record(0, 3, seconds=1.25)) is None


def test_a_judged_run_of_a_tuned_arm_is_found_at_its_own_point() -> None:
    study = make_study(seeds=1, tune={"learning_rate": [1e-4, 3e-4], "seeds": [1000]})
    record = make_record("random", 0, 0.5, hyperparameters={"learning_rate": 3e-4})
    run = find_recorded_run(study, record)
    assert run is not None
    assert run.training.learning_rate == 3e-4
    assert find_recorded_run(STUDY, _record(9, 1)) is None
