"""Counts what a cluster runs at once, anew every few seconds: nodes come and go."""

from __future__ import annotations

from headstart.execute.ray.calls import Cluster, Needs


class Capacity:
    """How many tasks run at once, `places`, and the memory of the node that has most of it."""

    def __init__(self, cluster: Cluster, interval: float) -> None:
        self._cluster, self._interval = cluster, interval
        self._looked = float("-inf")
        self.places, self.most_memory = 1, 0

    def look(self, needs: Needs, now: float) -> None:
        """Count places of tasks with these needs, if it is time."""
        if now - self._looked >= self._interval:
            self._looked, nodes = now, self._cluster.list_nodes()
            self.places = max(1, sum(needs.count_fitting(node) for node in nodes))
            self.most_memory = max((node.memory for node in nodes), default=0)
