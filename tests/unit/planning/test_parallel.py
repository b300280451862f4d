"""How many processes train one model, and which share of a run's memory is one process's."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.config.study import Study
from headstart.errors import HeadstartError
from headstart.planning import parallel
from headstart.planning.memory import MemoryEstimate
from headstart.planning.parallel import count_ranks, place_together, share_need

NEED = MemoryEstimate(shared=100, member=400, step=600, evaluation=50, whole_model=80, narrow=False)


def _study(**changes: Any) -> Study:
    return Study.model_validate({"data": {"path": "a.csv"}, "model": "m", "device": "cpu"} | changes)


@pytest.mark.parametrize(
    ("gpus", "asked", "expected"),
    [
        (0, 3, 3),
        (4, "auto", 4),
        (4, 2, 2),
        (0, "auto", "no GPU"),
        (1, "auto", "one GPU"),
        (2, 3, "and 2 GPUs"),
    ],
)
def test_each_process_has_a_device(
    monkeypatch: pytest.MonkeyPatch, gpus: int, asked: int | str, expected: int | str
) -> None:
    monkeypatch.setattr(parallel, "count_gpus", lambda setting: gpus)
    study = _study(parallel={"kind": "ddp", "processes": asked})
    if isinstance(expected, int):
        assert count_ranks(study) == expected
    else:
        with pytest.raises(HeadstartError, match=expected):
            count_ranks(study)


def test_a_study_without_it_is_one_process() -> None:
    assert count_ranks(_study()) == 1
    assert share_need(NEED, _study(), 6) is NEED


def test_one_run_at_a_time_by_all() -> None:
    placement = place_together(_study(parallel={"kind": "fsdp", "processes": 2}))
    assert (placement.workers, placement.pack, placement.ranks) == (1, 1, 2)
    assert placement.threads >= 1


def test_a_process_needs_its_rows_and_with_fsdp_its_part() -> None:
    ddp = share_need(NEED, _study(parallel={"kind": "ddp", "processes": 2}), 5)
    fsdp = share_need(NEED, _study(parallel={"kind": "fsdp", "processes": 2}), 5)
    assert ddp is not None
    assert fsdp is not None
    assert (ddp.step, ddp.member, ddp.shared) == (360, 400, 100)  # three rows of five
    assert (fsdp.step, fsdp.member, fsdp.shared) == (360, 200, 50)
    assert (fsdp.evaluation, fsdp.whole_model) == (50, 80)
    assert share_need(None, _study(parallel={"kind": "fsdp", "processes": 2}), 5) is None
