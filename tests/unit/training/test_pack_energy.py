"""A run's energy is its process's part of what counters tell, on record, and null where there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headstart import cuda, load_study
from headstart.config.runs import Pack, expand_runs
from headstart.energy import EnergyMeter
from headstart.records import Energy, RunRecord
from headstart.store.runs import RunStore
from headstart.training import pack_energy
from headstart.training.pack_energy import measure_energy
from headstart.training.prepare import prepare_study
from headstart.training.train_pack import train_pack


class _Meter(EnergyMeter):
    """Counters that told so much."""

    def __init__(self, processor: float | None, gpu: float | None) -> None:
        super().__init__(())
        self.told = processor, gpu

    def read_processor(self) -> float | None:
        return self.told[0]

    def read_gpu(self) -> float | None:
        return self.told[1]


def test_processes_share_what_their_machine_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "count_gpus", lambda: 2)
    assert measure_energy(_Meter(8.0, 6.0), workers=4) == Energy(processor_joules=2.0, gpu_joules=3.0)
    assert measure_energy(_Meter(None, 6.0), workers=1) == Energy(gpu_joules=6.0)
    monkeypatch.setattr(cuda, "count_gpus", lambda: 0)
    assert measure_energy(_Meter(8.0, None), workers=2) == Energy(processor_joules=4.0)


def test_where_no_counter_tells_no_energy_is_known() -> None:
    assert measure_energy(_Meter(None, None), workers=1) is None


def _train(study_file: Callable[..., Path]) -> list[RunRecord]:
    study = load_study(study_file(arms={"words": None}, seeds=[0, 1]))
    store, runs = RunStore(Path(study.out)), expand_runs(study)
    store.open_study(study)
    return train_pack(Pack(runs), prepare_study(study, runs), store, 1, lambda event: None)


def test_a_record_holds_what_its_pack_used(
    study_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.training.train_pack.make_meter", lambda run: _Meter(7200.0, None))
    records = _train(study_file)
    assert [record.energy for record in records] == [Energy(processor_joules=7200.0)] * len(records)


def test_a_machine_without_counters_leaves_it_empty(
    study_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_energy, "find_packages", lambda: ())
    assert {record.energy for record in _train(study_file)} == {None}
