"""What is said of nodes before anything is sent there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from headstart.errors import HeadstartError
from headstart.execute.open_queue import VERSIONED
from headstart.execute.ray.calls import Handle, LostTaskError, Needs, Node
from headstart.execute.ray.marked_folder import Token
from headstart.execute.ray.nodes import survey_cluster
from headstart.execute.ray.probe import look_at_node
from headstart.execute.ray.task import NodeSurvey
from headstart.records import Gpu
from headstart.store.provenance import read_version
from ray_stand_in import GIB, StandIn

CPU_NODES = (Node("a", "10.0.0.1", 2, 0, GIB), Node("b", "10.0.0.2", 4, 0, GIB))
GPU_NODES = (Node("a", "10.0.0.1", 2, 0, GIB), Node("b", "10.0.0.2", 8, 2, GIB))
GPU = Gpu(name="H100", total_bytes=80 * GIB, free_bytes=79 * GIB)


class _Cluster(StandIn):
    """Nodes that answer as a test says."""

    def __init__(self, nodes: Sequence[Node], **found: Any) -> None:
        super().__init__(nodes=nodes)
        self._found: dict[str, Any] = {name: read_version(name) for name in VERSIONED}
        self._found |= {"host": "box", "sees": True} | found
        self.is_lost = False

    def fetch(self, handle: Handle) -> Any:
        if self.is_lost:
            raise LostTaskError("node", "was lost")
        if self.tasks[handle].function is look_at_node:
            return self._found
        gpus = (GPU,) if self.tasks[handle].needs.gpus else ()
        return NodeSurvey("EPYC", gpus, "bf16" if gpus else "fp32", supports_bf16=bool(gpus))


Survey = Callable[..., Any]


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    """Looks at a cluster; `said` gets what is logged."""
    token = Token(tmp_path / "out" / ".headstart" / "ray" / "token", "word")

    def survey(cluster: StandIn, device: str = "auto", said: list[str] | None = None) -> Any:
        return survey_cluster(cluster, device, token, (said if said is not None else []).append).cluster

    return survey


def test_a_study_trains_on_gpus_where_nodes_have_them(survey: Survey) -> None:
    cluster = survey(_Cluster(GPU_NODES))
    assert (cluster.name, cluster.precision) == ("a Ray cluster of EPYC, H100", "bf16")
    assert cluster.gpus == (GPU, GPU)
    assert [node.processors for node in cluster.nodes] == [8]


@pytest.mark.parametrize("nodes", [CPU_NODES, GPU_NODES], ids=["without", "with"])
def test_a_study_for_processors_takes_all_nodes(survey: Survey, nodes: Sequence[Node]) -> None:
    stand_in = _Cluster(nodes)
    cluster = survey(stand_in, "cpu")
    assert (cluster.gpus, len(cluster.nodes)) == ((), 2)
    assert stand_in.tasks[-1].needs == Needs(1)


def test_cuda_without_a_gpu_is_refused(survey: Survey) -> None:
    with pytest.raises(HeadstartError, match="no node has a GPU"):
        survey(_Cluster(CPU_NODES), "cuda")


@pytest.mark.parametrize(
    ("version", "what"), [("", "headstart is not installed"), ("0.0.1", "headstart 0.0.1 is installed")]
)
def test_a_node_with_another_headstart_is_named(survey: Survey, version: str, what: str) -> None:
    with pytest.raises(HeadstartError, match=what) as caught:
        survey(_Cluster(CPU_NODES, headstart=version))
    assert caught.value.where == "node box"


def test_other_versions_and_blind_nodes_are_told_of(survey: Survey) -> None:
    said = list[str]()
    survey(_Cluster(CPU_NODES, torch="2.0.0", numpy="1.0.0", sees=False), said=said)
    assert "2.0.0 on box: runs may differ by rounding" in said[0]
    assert "1.0.0 on box: runs may differ by rounding" in said[1]
    assert "out is not seen from box" in said[2]


@pytest.mark.parametrize("sees", [True, False])
def test_it_is_known_whether_all_nodes_see_the_folder(tmp_path: Path, *, sees: bool) -> None:
    token = Token(tmp_path / "out" / ".headstart" / "ray" / "token", "word")
    assert survey_cluster(_Cluster(CPU_NODES, sees=sees), "cpu", token, print).is_folder_seen is sees


def test_nodes_that_are_all_lost_are_one_message(survey: Survey) -> None:
    cluster = _Cluster(CPU_NODES)
    cluster.is_lost = True
    with pytest.raises(HeadstartError, match="none of 2 nodes answered"):
        survey(cluster)


def test_a_node_is_looked_at_without_headstart(tmp_path: Path) -> None:
    file = tmp_path / "token"
    assert look_at_node(str(file), "word", ())["sees"] is False
    file.write_text("word", encoding="ascii")
    found = look_at_node(str(file), "word", ("torch", "nothing-like-it"))
    assert found["sees"] is True
    assert found["torch"] == read_version("torch")
    assert found["nothing-like-it"] == ""
