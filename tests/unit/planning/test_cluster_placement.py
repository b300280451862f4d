"""A study is placed as on one node of a cluster, and so on all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from headstart import load_study
from headstart.execute.open_study import open_study
from headstart.experiment import estimate_missing
from headstart.planning.cluster_placement import NodeSize, TrainingCluster, place_on_cluster
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimes

StudyFile = Callable[..., Path]
GIB = 2**30


class _Timer:
    """Processes side by side are worth it."""

    def __init__(self) -> None:
        self.asked = list[tuple[int, int]]()

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        self.asked.append((len(benchmarks), benchmarks[0].threads))
        return [StepTimes(1.0, GIB)] * len(benchmarks)

    def stop(self) -> None:
        """Nothing runs."""


Place = Callable[..., tuple[Placement, _Timer]]


@pytest.fixture
def place(study_file: StudyFile, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Places a study of eight runs on nodes of so many processors."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def place(*processors: int, **changes: Any) -> tuple[Placement, _Timer]:
        training = {"steps": 200, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}
        own = {"arms": {"a": {}, "words": None}, "seeds": list(range(8)), "pack": 1, "training": training}
        opened = open_study(load_study(study_file(**(own | changes))))
        nodes = tuple(NodeSize(0, count, 64 * GIB) for count in processors)
        cluster = TrainingCluster("a cluster", nodes, (), "fp32", supports_bf16=False)
        opened, timer = opened.on_cluster(cluster), _Timer()
        return place_on_cluster(estimate_missing(opened), timer, cluster), timer

    return place


@pytest.mark.parametrize(
    ("processors", "workers", "threads"),
    [((1, 1), 2, 1), ((16, 16), 2, 16), ((16, 16), 4, 8), ((4, 4), 64, 1)],
)
def test_so_many_workers_share_the_whole_cluster(
    place: Place, processors: tuple[int, ...], workers: int, threads: int
) -> None:
    placement, timer = place(*processors, workers=workers, seeds=list(range(64)))
    assert (placement.threads, timer.asked) == (threads, [])
    assert placement.workers == min(workers, sum(processors) // threads)


def test_what_is_left_open_is_timed_on_one_node_and_fills_all(place: Place) -> None:
    placement, timer = place(4, 4, 2, workers="auto", seeds=list(range(64)))
    assert timer.asked == [(4, 1), (1, 4)]
    assert (placement.workers, placement.threads) == (10, 1)


def test_few_runs_on_many_nodes_have_more_threads(place: Place) -> None:
    placement, _ = place(4, 4, 4, 4, workers="auto")
    assert (placement.workers, placement.threads) == (8, 2)
