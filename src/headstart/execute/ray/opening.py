"""Opens the backend of a Ray cluster: connects, looks at the nodes, and ends all with the block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headstart.events import Log, ignore_log
from headstart.execute.open_study import OpenStudy
from headstart.execute.ray.backend import RayBackend
from headstart.execute.ray.cluster import RayCluster
from headstart.execute.ray.marked_folder import mark_folder
from headstart.execute.ray.nodes import survey_cluster
from headstart.stages import tell_stage


@contextmanager
def open_ray_backend(
    opened: OpenStudy, address: str | None, log: Log = ignore_log
) -> Iterator[tuple[OpenStudy, RayBackend]]:
    """A backend whose tasks end with the block, and the study as its cluster trains it.

    Raises:
        HeadstartError: the cluster is not reached, or cannot train the study.
    """
    tell_stage("connecting to the Ray cluster")
    cluster = RayCluster(address)
    try:
        with mark_folder(opened.store) as token:
            tell_stage("looking at the nodes of the Ray cluster")
            survey = survey_cluster(cluster, opened.study.device, token, log)
            opened = opened.on_cluster(survey.cluster)
            backend = RayBackend(
                cluster,
                opened.prepared,
                opened.store,
                token,
                on_gpu=bool(survey.cluster.gpus),
                sends_states=not survey.is_folder_seen,
                log=log,
            )
            try:
                yield opened, backend
            finally:
                backend.stop()
    finally:
        cluster.close()
