"""Chooses how a study trains on a cluster: as on one of its nodes, and so on as many as there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from headstart.device import Precision
from headstart.planning.host import Host
from headstart.planning.measure import place_study
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepTimer
from headstart.planning.study_estimate import StudyEstimate
from headstart.records import Gpu
from headstart.wording import format_count

#: The most processes that a folder's placement can say.
_MOST_WORKERS: Final = 1_024


@dataclass(frozen=True, order=True)
class NodeSize:
    """What a node has for tasks: GPUs, processors, and bytes of memory; the larger has more GPUs, or then
    more processors."""

    gpus: int
    processors: int
    memory: int

    def count_places(self, threads: int, *, on_gpu: bool) -> int:
        """How many processes of so many threads it runs at once, each with a GPU of its own if on one."""
        places = self.processors // max(1, threads)
        return min(places, self.gpus) if on_gpu else places


@dataclass(frozen=True)
class TrainingCluster:
    """The nodes that train; `name` says what they are, and not how many.

    `gpus` are those of the best node, none where the study trains on processors; `precision` is what runs
    that leave it open compute in there, and `supports_bf16` whether that has instructions there.
    """

    name: str
    nodes: tuple[NodeSize, ...]
    gpus: tuple[Gpu, ...]
    precision: Precision
    supports_bf16: bool

    @property
    def best(self) -> NodeSize:
        """The node that steps are timed on: others are taken to be like it."""
        return max(self.nodes)


def place_on_cluster(estimate: StudyEstimate, timer: StepTimer, cluster: TrainingCluster) -> Placement:
    """As `place_study`: `workers` of the study are those of the whole cluster."""
    asked, nodes = estimate.prepared.study.workers, cluster.nodes
    host = Host(cluster.best.processors, cluster.best.memory, len(nodes))
    placement = place_study(estimate, timer, host, asked if asked == "auto" else host.share(asked))
    places = sum(node.count_places(placement.threads, on_gpu=bool(cluster.gpus)) for node in nodes)
    workers = min(max(1, places), _MOST_WORKERS if asked == "auto" else asked)
    reason = f"{placement.reason}; on {format_count(len(nodes), 'node')} of a Ray cluster"
    return replace(placement, workers=workers, reason=reason)
