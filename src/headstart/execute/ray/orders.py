"""Submits a study's packs and benchmarks to a cluster as tasks; the study itself goes there once."""

from __future__ import annotations

import uuid
from dataclasses import replace

from headstart.config.runs import Pack
from headstart.execute.ray.calls import Cluster, Handle, Needs, Node, Shared
from headstart.execute.ray.flights import Flight
from headstart.execute.ray.folders import pack_states
from headstart.execute.ray.marked_folder import Token
from headstart.execute.ray.shipped import ship_study
from headstart.execute.ray.task import PackOrder, time_steps_in_task, train_pack_in_task
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark
from headstart.prepared import PreparedStudy
from headstart.store.fences import Fence, Fences, lend_lease
from headstart.store.holders import describe_this_process
from headstart.store.runs import RunStore


class Orders:
    """Those of one study, whose tasks say every `beat` seconds that they live.

    Training states go along if `sends_states`: where all nodes see the folder they would be read here, and
    held in Ray's object store, for nothing.
    """

    def __init__(
        self,
        cluster: Cluster,
        study: PreparedStudy,
        store: RunStore,
        token: Token,
        beat: float,
        *,
        on_gpu: bool,
        sends_states: bool,
    ) -> None:
        self._cluster, self._study, self._store = cluster, study, store
        self._token, self._beat, self._on_gpu = token, beat, on_gpu
        self._sends_states = sends_states
        self._id = uuid.uuid4().hex
        self._shared: Shared | None = None

    def need(self, threads: int, memory: int = 0) -> Needs:
        """What a task of so many threads asks of a node."""
        return Needs(max(1, threads), int(self._on_gpu), memory)

    def send_pack(self, pack: Pack, placement: Placement, memory: int) -> Flight:
        """Submit a pack, with a lease of its own under which it writes."""
        attempt = uuid.uuid4().hex
        fence = lend_lease(self._token.file.parent, f"pack-{attempt}", describe_this_process())
        order = PackOrder(
            attempt=attempt,
            pack=pack,
            threads=placement.threads,
            workers=placement.workers,
            study_id=self._id,
            store=replace(self._store, fence=_join(self._store.fence, fence)),
            token=self._token,
            beat=self._beat,
            states=pack_states(self._store, pack.runs) if self._sends_states else None,
            tracking_id=self._read_tracking_id(),
        )
        needs = self.need(placement.threads, memory)
        args = [order, self._share_study(), self._cluster.open_mailbox()]
        return Flight(pack, self._cluster.submit(train_pack_in_task, args, needs), attempt, needs, fence)

    def send_benchmark(self, benchmark: StepBenchmark, node: Node) -> Handle:
        """Submit a benchmark to a node, in a process that ends with it."""
        args = [benchmark, self._id, self._share_study()]
        return self._cluster.submit(time_steps_in_task, args, self.need(benchmark.threads), node, alone=True)

    def _share_study(self) -> Shared:
        if self._shared is None:
            self._shared = self._cluster.share(ship_study(self._study, "auto" if self._on_gpu else "cpu"))
        return self._shared

    def _read_tracking_id(self) -> str | None:
        file = self._store.tracking_id_file
        return file.read_text(encoding="ascii") if file.is_file() else None


def _join(own: Fence | Fences | None, fence: Fence) -> Fences:
    """The folder's lease and a pack's, both of which must be in force."""
    parts = own.parts if isinstance(own, Fences) else (own,) if own else ()
    return Fences((*parts, fence))
