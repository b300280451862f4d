"""The simulation of many workers (benchmarks/cluster.py) ends, keeps to its bound, and repeats itself."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

_FILE = Path(__file__).parents[2] / "benchmarks" / "cluster.py"


@pytest.fixture(scope="module")
def cluster() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cluster_benchmark", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_seed_gives_the_same_again_and_another_another(cluster: ModuleType) -> None:
    first, again, other = (cluster.simulate(cluster.Setting(200, 8, seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first["makespan"] != other["makespan"]


@pytest.mark.parametrize("layout", ["shards", "folders", "flat"])
@pytest.mark.parametrize("workers", [1, 7, 60])
def test_no_study_beats_the_bound_and_one_without_losses_comes_near_the_schedule(
    cluster: ModuleType, workers: int, layout: str
) -> None:
    folder = cluster.Folder(layout=layout)
    row = cluster.simulate(cluster.Setting(300, workers, life_hours=1e9, folder=folder))
    assert row["ratio"] >= 1.0
    assert row["ratio"] <= row["ideal"] * 1.25
    assert (row["again"], row["twice"]) == (0, 0)


def test_packs_of_the_dead_are_taken_over_and_end(cluster: ModuleType) -> None:
    row = cluster.simulate(cluster.Setting(200, 8, life_hours=1.0))
    assert row["again"] > 0
    assert row["twice"] == 0, "who renews is never taken for dead on a folder that is quick enough"


@pytest.mark.long
def test_leases_all_in_one_slow_folder_cost_time_that_folders_of_their_own_save(cluster: ModuleType) -> None:
    rows = {
        layout: cluster.simulate(
            cluster.Setting(
                400, 200, life_hours=1e9, folder=cluster.Folder(rate=1000.0, names=20_000.0, layout=layout)
            )
        )
        for layout in ("flat", "folders")
    }
    assert rows["flat"]["busiest"] > 1 > rows["folders"]["busiest"]
    assert rows["flat"]["ratio"] > rows["folders"]["ratio"]


def test_the_bound_is_the_work_shared_out_or_the_longest(cluster: ModuleType) -> None:
    assert cluster.find_bound([3.0, 1.0], 2) == 3.0
    assert cluster.find_bound([1.0] * 8, 2) == 4.0


def test_packs_are_drawn_the_longest_expected_first_and_have_a_heavy_tail(cluster: ModuleType) -> None:
    seconds = cluster.draw_seconds(10_000, 0)
    assert np.mean(seconds[:1000]) > 5 * np.mean(seconds[-1000:])
    assert np.mean(seconds) == pytest.approx(600, rel=0.15)
