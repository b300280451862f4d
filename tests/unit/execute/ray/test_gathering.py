"""Tasks that are awaited give what they have, or nothing in time."""

from __future__ import annotations

import pytest

from headstart.execute.ray.calls import Handle, Needs
from headstart.execute.ray.gathering import await_tasks, gather_results
from ray_stand_in import Fate, StandIn


class _Cluster(StandIn):
    """Tasks that give their place, or are lost, or begin and never end."""

    def __init__(self, *fates: Fate) -> None:
        super().__init__(*fates)
        self.handles: list[Handle] = []
        for place in range(len(fates)):
            self.handles.append(self.submit(lambda place=place: place, [], Needs(1)))


def test_results_come_in_their_order_and_none_of_what_is_lost() -> None:
    cluster = _Cluster("", "node", "")
    assert gather_results(cluster, cluster.handles, 60, cluster.clock) == [0, None, 2]
    assert cluster.ended == []


def test_what_takes_longer_is_ended_by_force_and_gives_nothing() -> None:
    cluster = _Cluster("never", "", "never")
    assert gather_results(cluster, cluster.handles, 60, cluster.clock) == [None, 1, None]
    assert cluster.ended == [(0, True), (2, True)]
    assert cluster.now == 60


def test_an_interrupt_ends_what_is_awaited() -> None:
    cluster = _Cluster("never", "never")

    def interrupt() -> None:
        raise KeyboardInterrupt

    cluster.on_wait = interrupt
    with pytest.raises(KeyboardInterrupt):
        gather_results(cluster, cluster.handles, 60, cluster.clock)
    assert cluster.ended == [(0, True), (1, True)]


def test_those_are_given_that_have_not_ended() -> None:
    cluster = _Cluster("never", "")
    assert await_tasks(cluster, cluster.handles, 60, cluster.clock) == [0]
    assert cluster.ended == []
