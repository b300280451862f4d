"""The backend of a Ray cluster: a task a pack, each watched, and a lost one tried again from its last state.

Ray itself tries nothing again: it would ask for the same memory, and it has hung after a node was lost.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from headstart.config.runs import Pack
from headstart.errors import HeadstartError
from headstart.events import Event, Log, OnEvent, RunEnded, ignore_log
from headstart.execute.backend import Losses
from headstart.execute.open_study import OpenStudy
from headstart.execute.ray.calls import Cluster, LossKind, LostTaskError, Needs, NoAnswerError, Node
from headstart.execute.ray.cluster import RayCluster
from headstart.execute.ray.flights import Flight
from headstart.execute.ray.folders import pack_states, take_in
from headstart.execute.ray.nodes import Token, find_best, survey_cluster
from headstart.execute.ray.shipped import ship_study
from headstart.execute.ray.task import PackAnswer, PackOrder, time_steps_in_task, train_pack_in_task
from headstart.execute.ray.waiting import QueueWatch, WaitLimits
from headstart.execute.worker_process import Patience, read_patience
from headstart.files import write_text
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.prepared import PreparedStudy
from headstart.records import RunRecord
from headstart.stages import tell_stage
from headstart.store.holders import describe_this_process
from headstart.store.lease import Fence, Fences, lend_lease, withdraw
from headstart.store.runs import RunStore
from headstart.wording import format_count

#: Seconds for which tasks are awaited before letters are read again.
_LOOK_SECONDS: Final = 0.5
#: Seconds in which tasks that were told to end save their states, and steps are timed.
_END_SECONDS: Final = 15.0
_TIMING_SECONDS: Final = 900.0
#: How often a pack's node may be lost before the pack itself is looked at.
_MOST_NODES: Final = 5
#: How much more memory is asked for after a task ran out of it.
_MORE_MEMORY: Final = 2
#: Tasks that wait in Ray's queue beyond those that run: what an autoscaler sees.
_LEAST_WAITING: Final = 16


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
        with _marking_folder(opened.store) as token:
            tell_stage("looking at the nodes of the Ray cluster")
            surveyed = survey_cluster(cluster, opened.study.device, token, log)
            opened = opened.on_cluster(surveyed)
            on_gpu = bool(surveyed.gpus)
            backend = RayBackend(cluster, opened.prepared, opened.store, token, on_gpu=on_gpu, log=log)
            try:
                yield opened, backend
            finally:
                backend.stop()
    finally:
        cluster.close()


@contextmanager
def _marking_folder(store: RunStore) -> Iterator[Token]:
    """A file in the study's folder by which nodes know it; what an earlier call left there is removed."""
    store.check_held()
    folder = store.ray_folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    token = Token(folder / "token", uuid.uuid4().hex)
    write_text(token.file, token.word)
    try:
        yield token
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class RayBackend:
    """As `Backend`, by tasks."""

    def __init__(
        self,
        cluster: Cluster,
        study: PreparedStudy,
        store: RunStore,
        token: Token,
        *,
        on_gpu: bool = False,
        log: Log = ignore_log,
        clock: Callable[[], float] = time.monotonic,
        limits: WaitLimits | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._cluster, self._study, self._log, self._clock = cluster, study, log, clock
        self._store = replace(store, out=store.out.absolute(), fence=_make_absolute(store.fence))
        self._token, self._on_gpu = token, on_gpu
        self._losses = Losses(study, self._store, log)
        self._limits, self._patience = limits or WaitLimits(), patience or read_patience()
        self._id, self._shared = uuid.uuid4().hex, None
        self._waiting: deque[Pack] = deque()
        self._flights: list[Flight] = []
        self._node_losses, self._memory_losses = Counter[tuple[str, ...]](), set[str]()
        self._looked, self._capacity, self._most_memory = float("-inf"), 1, 0
        self._unanswered = 0.0

    # Packs

    def run_packs(self, packs: Sequence[Pack], placement: Placement, on_event: OnEvent) -> None:
        """As `Backend`."""
        self._waiting = deque(packs)
        watch = QueueWatch(self._cluster, self._limits, self._log)
        tell_stage(f"submitting {format_count(len(packs), 'pack')} to the Ray cluster")
        last = self._clock()
        while self._waiting or self._flights:
            self._submit_packs(placement)
            ready = self._cluster.wait([flight.handle for flight in self._flights], _LOOK_SECONDS)
            now = self._clock()
            # At most this: had this process been stopped, nobody would have been silent.
            self._read_letters(min(now - last, 20 * _LOOK_SECONDS), on_event)
            last = now
            for flight in [flight for flight in self._flights if flight.handle in ready]:
                self._land(flight, on_event)
            for flight in list(self._flights):
                if fault := flight.find_fault(self._patience.ended_after):
                    self._cluster.end(flight.handle, force=True)
                    self._lose(flight, "ended", fault, on_event)
            if watch.check(self._flights, now):
                self._take_back_all()

    def _submit_packs(self, placement: Placement) -> None:
        """Have as many tasks under way as were asked for, or as the cluster runs, and some in its queue."""
        self._look_at_nodes(placement)
        asked = self._study.study.workers
        most = self._capacity + max(_LEAST_WAITING, self._capacity) if asked == "auto" else asked
        while self._waiting and len(self._flights) < most:
            self._flights.append(self._submit(self._waiting.popleft(), placement))

    def _look_at_nodes(self, placement: Placement) -> None:
        """Count anew what the cluster runs at once: nodes come and go."""
        now = self._clock()
        if now - self._looked >= self._limits.look:
            self._looked, nodes = now, self._cluster.list_nodes()
            needs = Needs(max(1, placement.threads), int(self._on_gpu))
            self._capacity = max(1, sum(needs.count_fitting(node) for node in nodes))
            self._most_memory = max((node.memory for node in nodes), default=0)

    def _submit(self, pack: Pack, placement: Placement) -> Flight:
        if self._shared is None:
            shipped = ship_study(self._study, "auto" if self._on_gpu else "cpu")
            self._shared = self._cluster.share(shipped)
        attempt = uuid.uuid4().hex
        fence = lend_lease(self._token.file.parent, f"pack-{attempt}", describe_this_process())
        own = self._store.fence
        parts = (*(own.parts if isinstance(own, Fences) else [own] if own else []), fence)
        order = PackOrder(
            attempt=attempt,
            pack=pack,
            threads=placement.threads,
            workers=placement.workers,
            study_id=self._id,
            store=replace(self._store, fence=Fences(parts)),
            token_file=self._token.file,
            token=self._token.word,
            beat=self._patience.beat,
            states=pack_states(self._store, pack.runs),
            tracking_id=self._read_tracking_id(),
        )
        needs = self._find_needs(pack, placement)
        args = [order, self._shared, self._cluster.open_mailbox()]
        handle = self._cluster.submit(train_pack_in_task, args, needs)
        return Flight(pack, handle, attempt, needs, fence)

    def _find_needs(self, pack: Pack, placement: Placement) -> Needs:
        """What its task asks for: memory as it is expected, and more where that was not enough."""
        memory = pack.estimate.memory_bytes if pack.estimate is not None else None
        wanted = int(memory.high) if memory is not None else 0
        if any(run.key in self._memory_losses for run in pack.runs):
            wanted *= _MORE_MEMORY
        return Needs(max(1, placement.threads), int(self._on_gpu), min(wanted, self._most_memory))

    def _read_tracking_id(self) -> str | None:
        file = self._store.tracking_id_file
        return file.read_text(encoding="ascii") if file.is_file() else None

    # What comes back

    def _read_letters(self, seconds: float, on_event: OnEvent) -> None:
        """Take what tasks say, and count how long the others have said nothing."""
        try:
            letters = self._cluster.read_letters()
        except NoAnswerError as error:
            self._unanswered += max(seconds, _LOOK_SECONDS)
            if self._unanswered >= self._patience.ended_after:
                raise HeadstartError(
                    f"no answer any more: {error}",
                    where="the Ray cluster",
                    fix="see whether its head lives; then run again: runs that are done stay",
                ) from error
            return
        self._unanswered = 0.0
        of_attempt = {flight.attempt: flight for flight in self._flights}
        for flight in self._flights:
            flight.wait_longer(seconds)
        for letter in letters:
            if (sender := of_attempt.get(letter.attempt)) is not None:  # else it was given up
                sender.hear(news=bool(letter.messages))
                for message in letter.messages:
                    self._tell(sender, message, on_event)

    def _tell(self, flight: Flight, event: Event, on_event: OnEvent) -> None:
        """Pass an event on, unless its run was told of as ended."""
        key = _find_key(event)
        if key in flight.ended:
            return
        if isinstance(event, RunEnded):
            flight.ended.add(event.record.key)
        on_event(event)

    def _land(self, flight: Flight, on_event: OnEvent) -> None:
        """Take what a task that has ended gave."""
        try:
            answer = self._cluster.fetch(flight.handle)
            assert isinstance(answer, PackAnswer)
            if answer.results is not None:
                take_in(answer.results, self._store, flight.pack.runs)
        except LostTaskError as lost:
            self._lose(flight, lost.kind, lost.how, on_event)
            return
        if answer.error is not None:
            raise answer.error
        if answer.is_interrupted or answer.is_lease_lost:
            self._store.check_held()
            self._lose(flight, "ended", "was interrupted", on_event)
            return
        self._forget(flight)
        for record in self._keep(answer):
            self._tell(flight, RunEnded(record), on_event)

    def _keep(self, answer: PackAnswer) -> Sequence[RunRecord]:
        """The records, in the study's folder."""
        return answer.records if answer.results is None else self._store.write_pack(answer.records)

    def _lose(self, flight: Flight, kind: LossKind, how: str, on_event: OnEvent) -> None:
        """Put what is left of a lost task's pack first into the queue; nothing more is written by it."""
        self._forget(flight)
        is_blameless = kind == "node" and self._node_losses[flight.keys] < _MOST_NODES
        self._node_losses[flight.keys] += kind == "node"
        is_alone = len(flight.pack.runs) == 1
        if kind == "memory":
            self._memory_losses.update(flight.keys)
        again = self._losses.take_back_lost(
            flight.pack,
            how,
            flight.ended,
            on_event,
            again=kind != "memory" or is_alone,
            blameless=is_blameless,
        )
        self._waiting.extendleft(reversed(again))

    def _forget(self, flight: Flight) -> None:
        self._flights.remove(flight)
        withdraw(flight.fence)

    def _take_back_all(self) -> None:
        """Have tasks that wait in Ray's queue submitted again."""
        for flight in reversed(self._flights):
            self._cluster.end(flight.handle, force=True)
            withdraw(flight.fence)
            self._waiting.appendleft(flight.pack)
        self._flights = []

    # Steps, and the end

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        """As `StepTimer`, all on the largest node."""
        if self._shared is None:
            shipped = ship_study(self._study, "auto" if self._on_gpu else "cpu")
            self._shared = self._cluster.share(shipped)
        node = self._find_timing_node(benchmarks)
        if node is None:
            return []
        tell_stage(f"timing training steps of {benchmarks[0].runs[0].arm} on node {node.address}")
        handles = [
            self._cluster.submit(
                time_steps_in_task,
                [benchmark, self._id, self._shared],
                Needs(max(1, benchmark.threads), int(self._on_gpu)),
                node,
                alone=True,
            )
            for benchmark in benchmarks
        ]
        return self._gather_times(handles)

    def _find_timing_node(self, benchmarks: Sequence[StepBenchmark]) -> Node | None:
        """The largest node, if it runs the benchmarks at once."""
        nodes = self._cluster.list_nodes()
        needs = Needs(max(1, benchmarks[0].threads), int(self._on_gpu))
        fitting = [node for node in nodes if needs.count_fitting(node) >= len(benchmarks)]
        return find_best(fitting) if fitting else None

    def _gather_times(self, handles: Sequence[Any]) -> list[StepTimes]:
        """What the tasks have timed, in their order; nothing where one was lost, or takes too long."""
        began, left = self._clock(), list(handles)
        try:
            while left and self._clock() - began < _TIMING_SECONDS:
                ready = self._cluster.wait(left, _LOOK_SECONDS)
                left = [handle for handle in left if handle not in ready]
            return [self._cluster.fetch(handle) for handle in handles] if not left else []
        except LostTaskError:
            return []
        finally:
            for handle in left:
                self._cluster.end(handle, force=True)

    def stop(self) -> None:
        """End all tasks: those that train may save their states first."""
        for flight in self._flights:
            self._cluster.end(flight.handle, force=False)
        left, end = [flight.handle for flight in self._flights], self._clock() + _END_SECONDS
        while left and self._clock() < end:
            ready = self._cluster.wait(left, _LOOK_SECONDS)
            left = [handle for handle in left if handle not in ready]
        for handle in left:
            self._cluster.end(handle, force=True)
        for flight in list(self._flights):
            self._forget(flight)


def _find_key(event: Event) -> str | None:
    """The run that an event is of."""
    if isinstance(event, RunEnded):
        return event.record.key
    run = getattr(event, "run", None)
    return run.key if run is not None else None


def _make_absolute(fence: Fence | Fences | None) -> Fence | Fences | None:
    if isinstance(fence, Fence):
        return replace(fence, file=fence.file.absolute())
    return fence
