"""Sees to it that tasks which Ray does not begin cannot keep a study waiting for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from headstart.errors import HeadstartError
from headstart.events import Log
from headstart.execute.ray.calls import Cluster, Needs, Node
from headstart.execute.ray.flights import Flight
from headstart.records import format_duration
from headstart.wording import Caution

#: Most nodes that a message lists.
_SHOWN: Final = 4
#: How often waiting tasks are submitted again for which there is room.
_MOST_ROUNDS: Final = 3
_PLACE: Final = "the Ray cluster"


@dataclass(frozen=True)
class WaitLimits:
    """Seconds between two looks, until a cluster without a node that is large enough is given up, and until
    tasks are submitted again for which there is room."""

    look: float = 5.0
    no_node: float = 300.0
    stuck: float = 120.0


class QueueWatch:
    """Looks at tasks that wait while none of the study's runs."""

    def __init__(self, cluster: Cluster, limits: WaitLimits, log: Log) -> None:
        self._cluster, self._limits, self._log = cluster, limits, log
        self._since: float | None = None
        self._looked, self._rounds, self._said = float("-inf"), 0, ""

    def check(self, flights: Sequence[Flight], now: float) -> bool:
        """Whether the tasks that wait are to be submitted again.

        Raises:
            HeadstartError: no node can run one of them, or Ray begins none though there is room.
        """
        waiting = [flight for flight in flights if not flight.has_begun]
        if not waiting or len(waiting) < len(flights):
            self._since, self._rounds, self._said = None, 0, ""
            return False
        if self._since is None:
            self._since = now
        if now - self._looked < self._limits.look:
            return False
        self._looked = now
        return self._look(waiting[0].needs, now - self._since, now)

    def _look(self, needs: Needs, waited: float, now: float) -> bool:
        nodes = self._cluster.list_nodes()
        if not any(needs.fit(node) for node in nodes):
            self._refuse_or_wait(needs, nodes, waited)
            return False
        if not any(needs.fit(node) for node in self._cluster.list_free()):
            self._say("all nodes are busy with other tasks; waiting until one is free")
            return False
        if waited < self._limits.stuck:
            return False
        if self._rounds == _MOST_ROUNDS:
            raise HeadstartError(
                f"a task was submitted {_MOST_ROUNDS + 1} times and never began, though there is room",
                where=_PLACE,
                fix="see `ray status` and the logs of its nodes; restart the cluster, and run again: runs "
                "that are done stay",
            )
        self._rounds, self._since = self._rounds + 1, now
        self._log(
            Caution(f"no task began for {format_duration(waited)} though there is room: submitting again")
        )
        return True

    def _refuse_or_wait(self, needs: Needs, nodes: Sequence[Node], waited: float) -> None:
        what = f"no node has {needs}, which a pack needs"
        if waited >= self._limits.no_node:
            raise HeadstartError(
                what,
                where=_PLACE,
                expected=f"a node that is large enough; there are: {describe_nodes(nodes)}",
                fix="add such a node, or raise workers, which lowers the threads of each, or lower pack",
            )
        limit = format_duration(self._limits.no_node)
        self._say(f"{what} ({describe_nodes(nodes)}); waiting {limit} for one")

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            self._log(Caution(sentence))
            self._said = sentence


def describe_nodes(nodes: Sequence[Node]) -> str:
    """What nodes have, the largest first."""
    if not nodes:
        return "none"
    ordered = sorted(nodes, key=lambda node: node.size, reverse=True)
    more = f"; and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else ""
    return "; ".join(map(str, ordered[:_SHOWN])) + more
