"""What is said of a cluster that is not reached; Ray itself is asked in tests/cluster."""

from __future__ import annotations

import socket

import pytest

from headstart.errors import HeadstartError
from headstart.execute.ray.calls import Needs, Node
from headstart.execute.ray.cluster import RayCluster

pytest.importorskip("ray")


def test_an_address_where_nobody_listens_is_refused_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(HeadstartError, match="no Ray cluster answers at 127") as caught:
        RayCluster(f"127.0.0.1:{port}")
    assert caught.value.where == "--address"


def test_a_machine_without_a_cluster_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(HeadstartError, match="no Ray cluster answers"):
        RayCluster(None)


def test_needs_fit_where_all_of_them_do() -> None:
    node = Node("a", "10.0.0.1", 8, 2, 2**30)
    assert Needs(3).count_fitting(node) == 2
    assert Needs(1, gpus=1).count_fitting(node) == 2
    assert Needs(1, memory=2**29).count_fitting(node) == 2
    assert not Needs(1, gpus=3).fit(node)
