"""Looks at a cluster's nodes before anything is sent there: versions, the shared folder, and what trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from headstart.errors import HeadstartError
from headstart.events import Log
from headstart.execute.open_queue import VERSIONED
from headstart.execute.ray.calls import Cluster, Needs, Node
from headstart.execute.ray.gathering import gather_results
from headstart.execute.ray.marked_folder import Token
from headstart.execute.ray.probe import look_at_node
from headstart.execute.ray.task import NodeSurvey, survey_node
from headstart.execute.ray.waiting import describe_nodes
from headstart.planning.cluster_placement import NodeSize, TrainingCluster
from headstart.records import Gpu
from headstart.store.provenance import read_version
from headstart.wording import Caution, format_count, format_names

#: Seconds for which nodes are awaited that are looked at, and one that loads torch.
_ANSWER_SECONDS: Final = 60.0
_SURVEY_SECONDS: Final = 300.0
_PLACE: Final = "the Ray cluster"


@dataclass(frozen=True)
class Survey:
    """A cluster as it trains a study, and whether each of its nodes sees the study's folder."""

    cluster: TrainingCluster
    is_folder_seen: bool


def survey_cluster(cluster: Cluster, device: str, token: Token, log: Log) -> Survey:
    """The cluster as it trains a study on `device`.

    Raises:
        HeadstartError: no node answers, one has another Headstart, or there is nothing that trains.
    """
    nodes = cluster.list_nodes()
    is_folder_seen = _check_nodes(cluster, nodes, token, log)
    has_gpu = device != "cpu" and any(node.gpus for node in nodes)
    if device == "cuda" and not has_gpu:
        raise HeadstartError(
            "cuda requested, but no node has a GPU",
            where=_PLACE,
            expected=f"there are: {describe_nodes(nodes)}",
            fix="set device: auto",
        )
    fitting = [node for node in nodes if node.processors and (node.gpus or not has_gpu)]
    if not fitting:
        raise HeadstartError("no node has a CPU for tasks", where=_PLACE, fix="start nodes with --num-cpus")
    best = find_best(fitting)
    survey = _survey(cluster, best, has_gpu)
    training = TrainingCluster(
        name=_name_cluster(survey),
        nodes=tuple(size_node(node) for node in fitting),
        gpus=_list_gpus(survey, best),
        precision=survey.precision,
        supports_bf16=survey.supports_bf16,
    )
    return Survey(training, is_folder_seen)


def find_best(nodes: Sequence[Node]) -> Node:
    """The largest, on which steps are timed."""
    return max(nodes, key=lambda node: node.size)


def size_node(node: Node) -> NodeSize:
    """What it has for tasks."""
    return NodeSize(*node.size)


def _list_gpus(survey: NodeSurvey, node: Node) -> tuple[Gpu, ...]:
    """Those of a node: the survey saw the one that it was given."""
    return survey.gpus[:1] * node.gpus


def _name_cluster(survey: NodeSurvey) -> str:
    gpus = "".join(f", {gpu.name}" for gpu in survey.gpus[:1])
    return f"a Ray cluster of {survey.processor}{gpus}"


def _survey(cluster: Cluster, node: Node, has_gpu: bool) -> NodeSurvey:
    needs = Needs(1, gpus=int(has_gpu))
    handle = cluster.submit(survey_node, ["auto" if has_gpu else "cpu"], needs, node, alone=True)
    (found,) = gather_results(cluster, [handle], _SURVEY_SECONDS)
    if found is None:
        raise HeadstartError(
            f"node {node.address} did not describe itself within {_SURVEY_SECONDS:.0f} s",
            where=_PLACE,
            fix="see `ray status`: is it busy, or lost?",
        )
    assert isinstance(found, NodeSurvey)
    return found


def _check_nodes(cluster: Cluster, nodes: Sequence[Node], token: Token, log: Log) -> bool:
    """See that the nodes have our versions. Whether all see the folder; `log` is told which do not."""
    args = [str(token.file), token.word, VERSIONED]
    handles = [cluster.submit(look_at_node, args, Needs(0), node) for node in nodes]
    found = [one for one in gather_results(cluster, handles, _ANSWER_SECONDS) if one is not None]
    if not found:
        raise HeadstartError(
            f"none of {format_count(len(nodes), 'node')} answered within {_ANSWER_SECONDS:.0f} s",
            where=_PLACE,
            fix="see `ray status`, and the logs of its nodes",
        )
    for one in found:
        _check_headstart(one)
    for package in VERSIONED:
        _tell_of_versions(package, found, log)
    blind = [str(one["host"]) for one in found if not one["sees"]]
    if blind:
        log(
            Caution(
                f"{token.file.parents[2]} is not seen from {format_names(blind)}: results come back through "
                "Ray's object store, and a run whose node is lost restarts from the beginning"
            )
        )
    return not blind and len(found) == len(nodes)


def _check_headstart(found: dict[str, Any]) -> None:
    ours, theirs = read_version("headstart"), found["headstart"]
    if theirs == ours:
        return
    what = f"headstart {theirs} is installed" if theirs else "headstart is not installed"
    raise HeadstartError(
        what,
        where=f"node {found['host']}",
        expected=f"headstart {ours}, as here",
        fix="install it in the Python that `ray start` runs with, on each node",
    )


def _tell_of_versions(package: str, found: Sequence[dict[str, Any]], log: Log) -> None:
    ours = read_version(package)
    others = sorted({f"{one[package] or 'none'} on {one['host']}" for one in found if one[package] != ours})
    if others:
        log(Caution(f"{package} is {ours} here, and {format_names(others)}: runs may differ by rounding"))
