"""Packs on a stand-in for Ray: whatever is lost there, each run gets one record, and a study ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headstart import load_study
from headstart.config.runs import Pack, expand_runs
from headstart.errors import HeadstartError
from headstart.events import Event, RunEnded
from headstart.execute.ray.backend import RayBackend
from headstart.execute.ray.calls import Needs, Node
from headstart.execute.ray.marked_folder import Token
from headstart.execute.worker_process import Patience
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark
from headstart.records import Estimate, Range
from headstart.store.fences import Fences, LeaseLostError
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study
from ray_stand_in import GIB, Fate, StandIn

StudyFile = Callable[..., Path]
PATIENCE = Patience(5.0, 30.0, 120.0)
NODE: Fate = "node"
NEVER: Fate = "never"


class _Study:
    """Bags of words on a stand-in, and what is told of them."""

    def __init__(self, file: Path, cluster: StandIn, *, is_shared: bool = True) -> None:
        study = load_study(file)
        self.runs, self.cluster = expand_runs(study), cluster
        self.store = RunStore(Path(study.out))
        self.ended, self.said = list[str](), list[str]()
        self._on_event: Callable[[Event], None] = self._note
        file = self.store.own_folder / "ray" / "token"
        file.parent.mkdir(parents=True)
        file.write_text("word" if is_shared else "another", encoding="ascii")
        self.backend = RayBackend(
            cluster,
            prepare_study(study, self.runs),
            self.store,
            Token(file.absolute(), "word"),
            log=self.said.append,
            clock=cluster.clock,
            patience=PATIENCE,
        )

    def _note(self, event: Event) -> None:
        if isinstance(event, RunEnded):
            self.ended.append(event.record.key)

    def train(self, *packs: Pack, threads: int = 1) -> dict[str, str]:
        """Train them, or each run by itself; gives how each run ended."""
        packs = packs or tuple(Pack((run,)) for run in self.runs)
        self.backend.run_packs(packs, Placement(2, threads, ""), self._on_event)
        assert sorted(self.ended) == sorted(run.key for pack in packs for run in pack.runs)
        return {record.key: record.status for record in self.store.read_records()}

    @property
    def sizes(self) -> list[int]:
        """How many runs each submitted task had."""
        return [len(task.pack.runs) for task in self.cluster.tasks]


Make = Callable[..., _Study]


@pytest.fixture
def make(study_file: StudyFile) -> Make:
    """A study of four bags of words on a stand-in."""

    def make(cluster: StandIn, **how: Any) -> _Study:
        arms = {"words": {"method": "bag-of-words"}}
        return _Study(study_file(arms=arms, seeds=[0, 1, 2, 3], workers=2), cluster, **how)

    return make


def test_each_pack_is_one_task_with_its_processors_and_memory(make: Make) -> None:
    study = make(StandIn())
    memory = Estimate(memory_bytes=Range(low=GIB, high=2 * GIB))
    packs = [replace(Pack(study.runs[:2]), estimate=memory), Pack(study.runs[2:])]
    assert set(study.train(*packs, threads=2).values()) == {"done"}
    assert [task.needs for task in study.cluster.tasks] == [Needs(2, 0, 2 * GIB), Needs(2)]
    assert study.said == []


def test_no_more_tasks_are_under_way_than_were_asked_for(make: Make) -> None:
    study = make(StandIn())
    seen = list[int]()
    study.cluster.on_wait = lambda: seen.append(len(study.cluster.tasks) - len(study.ended))
    study.train()
    assert max(seen) == 2


@pytest.mark.parametrize("is_shared", [True, False])
def test_results_come_through_the_folder_or_as_bytes_where_it_is_not_seen(
    make: Make, *, is_shared: bool
) -> None:
    study = make(StandIn(), is_shared=is_shared)
    assert set(study.train(Pack(study.runs)).values()) == {"done"}
    answers = {record.key: record for record in study.store.read_records()}
    for run in study.runs:
        folder = study.store.get_run_folder(run.key)
        assert (folder / "predictions.parquet").is_file()
        assert answers[run.key].digest
    assert [entry.name for entry in study.store.own_folder.iterdir()] == ["ray"]


# Losses


def test_a_lost_node_costs_a_pack_nothing_until_it_was_lost_often(make: Make) -> None:
    study = make(StandIn(*[NODE] * 4))
    assert set(study.train(Pack(study.runs)).values()) == {"done"}
    assert study.sizes == [4] * 5
    assert all("resuming from the saved state" in said for said in study.said)


def test_a_pack_that_loses_its_node_again_and_again_is_halved(make: Make) -> None:
    study = make(StandIn(*[NODE] * 7))
    assert set(study.train(Pack(study.runs)).values()) == {"done"}
    assert study.sizes == [4] * 7 + [2, 2]


def test_a_pack_that_ran_out_of_memory_comes_back_in_halves_at_once(make: Make) -> None:
    study = make(StandIn("memory"))
    assert set(study.train(Pack(study.runs)).values()) == {"done"}
    assert study.sizes == [4, 2, 2]


def test_a_run_alone_that_ran_out_of_memory_asks_for_more_and_then_has_failed(make: Make) -> None:
    study = make(StandIn("memory", "memory"))
    memory = Estimate(memory_bytes=Range(low=GIB, high=GIB))
    ended = study.train(replace(Pack(study.runs[:1]), estimate=memory))
    assert list(ended.values()) == ["failed"]
    assert [task.needs.memory for task in study.cluster.tasks] == [GIB, 2 * GIB]


def test_no_more_memory_is_asked_for_than_a_node_has(make: Make) -> None:
    study = make(StandIn("memory"))
    memory = Estimate(memory_bytes=Range(low=6 * GIB, high=6 * GIB))
    study.train(replace(Pack(study.runs[:1]), estimate=memory))
    assert [task.needs.memory for task in study.cluster.tasks] == [6 * GIB, 8 * GIB]


def test_a_silent_task_is_ended_and_its_pack_tried_again(make: Make) -> None:
    study = make(StandIn("silent"))
    assert set(study.train(Pack(study.runs)).values()) == {"done"}
    assert study.cluster.ended == [(0, True)]
    assert study.cluster.now >= PATIENCE.ended_after
    assert "was silent for 2 min" in study.said[0]


def test_a_task_that_was_given_up_writes_nothing_more(make: Make) -> None:
    """It may live on, behind a network that failed: what it holds is no lease any more."""
    study = make(StandIn("silent"))
    study.train(Pack(study.runs))
    fences = study.cluster.tasks[0].order.store.fence
    assert isinstance(fences, Fences)
    with pytest.raises(LeaseLostError):
        fences.check()


def test_a_cluster_that_answers_no_more_ends_the_study_with_a_message(make: Make) -> None:
    study = make(StandIn("silent", "silent"))

    def fall_silent() -> None:
        study.cluster.is_mute = study.cluster.now > 10

    study.cluster.on_wait = fall_silent
    with pytest.raises(HeadstartError, match="no answer any more"):
        study.train()
    assert study.cluster.ended == []  # nobody was silent: nobody could be heard


# Tasks that never begin


def test_a_task_that_no_node_can_run_ends_the_study_with_one_message(make: Make) -> None:
    study = make(StandIn(*[NEVER] * 9))
    with pytest.raises(HeadstartError) as raised:
        study.train(threads=3)
    assert "no node has 3 CPUs, which a pack needs" in str(raised.value)
    assert "10.0.0.1: 2 CPUs, 8.0 GiB of memory" in str(raised.value)
    assert len(study.said) == 1
    assert study.cluster.now >= 300


def test_a_node_that_comes_in_time_runs_what_waited(make: Make) -> None:
    study = make(StandIn(*[NEVER] * 2))

    def add_node() -> None:
        if study.cluster.now > 100:
            study.cluster.nodes = study.cluster.free = [Node("b", "10.0.0.2", 4, 0, GIB)]

    study.cluster.on_wait = add_node
    assert set(study.train(threads=3).values()) == {"done"}  # submitted again, as Ray began none


def test_tasks_that_ray_does_not_begin_though_there_is_room_are_submitted_again(make: Make) -> None:
    study = make(StandIn("never", "never"))
    assert set(study.train().values()) == {"done"}
    assert study.sizes == [1] * 6
    assert study.cluster.ended == [(1, True), (0, True)]
    assert "though there is room: submitting again" in study.said[0]


def test_tasks_that_ray_never_begins_end_the_study_with_a_message(make: Make) -> None:
    study = make(StandIn(*[NEVER] * 99))
    with pytest.raises(HeadstartError, match="was submitted 4 times and never began"):
        study.train()


def test_a_cluster_that_is_busy_is_waited_for(make: Make) -> None:
    study = make(StandIn("never", "never", free=[]))

    def free_node() -> None:
        if study.cluster.now > 3600:
            study.cluster.free = study.cluster.nodes

    study.cluster.on_wait = free_node
    assert set(study.train().values()) == {"done"}
    assert "all nodes are busy with other tasks" in study.said[0]


# The end, and timing


def test_a_driver_that_is_interrupted_ends_its_tasks_gently_and_then_by_force(make: Make) -> None:
    study = make(StandIn("silent", "never"))

    def interrupt() -> None:
        raise KeyboardInterrupt

    study.cluster.on_wait = interrupt
    with pytest.raises(KeyboardInterrupt):
        study.train()
    study.cluster.on_wait = lambda: None
    study.backend.stop()
    assert study.cluster.ended[:2] == [(0, False), (1, False)]
    assert list((study.store.own_folder / "ray").glob("pack-*")) == []


def test_steps_are_timed_on_one_node_that_runs_all_at_once(make: Make) -> None:
    study = make(StandIn())
    assert study.backend.time_steps([StepBenchmark(study.runs[:1], 1)] * 3) == []  # two CPUs
    assert study.cluster.tasks == []


@pytest.mark.parametrize("fate", [NODE, NEVER])
def test_steps_count_for_nothing_where_a_node_is_lost_or_takes_too_long(make: Make, fate: Fate) -> None:
    study = make(StandIn(fate, fate))
    assert study.backend.time_steps([StepBenchmark(study.runs[:1], 1)] * 2) == []
    assert [task.needs for task in study.cluster.tasks] == [Needs(1)] * 2
    assert study.cluster.ended == ([(0, True), (1, True)] if fate == NEVER else [])
