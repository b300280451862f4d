"""The backend of a Ray cluster: a task a pack, each watched, and a lost one tried again from its last state.

Ray itself tries nothing again: it would ask for the same memory, and it has hung after a node was lost.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from headstart.config.runs import Pack
from headstart.errors import HeadstartError
from headstart.events import Event, Log, OnEvent, RunEnded, ignore_log
from headstart.execute.ray.calls import Cluster, LossKind, LostTaskError, NoAnswerError, Node
from headstart.execute.ray.capacity import Capacity
from headstart.execute.ray.flights import Flight
from headstart.execute.ray.folders import take_in
from headstart.execute.ray.gathering import LOOK_SECONDS, await_tasks, gather_results
from headstart.execute.ray.losses import TaskLosses
from headstart.execute.ray.marked_folder import Token
from headstart.execute.ray.nodes import find_best
from headstart.execute.ray.orders import Orders
from headstart.execute.ray.task import PackAnswer
from headstart.execute.ray.waiting import QueueWatch, WaitLimits
from headstart.execute.worker_process import Patience, read_patience
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.prepared import PreparedStudy
from headstart.records import RunRecord
from headstart.stages import tell_stage
from headstart.store.fences import Fence, Fences, withdraw
from headstart.store.runs import RunStore
from headstart.wording import format_count

#: Seconds in which tasks that were told to end save their states, and steps are timed.
_END_SECONDS: Final = 15.0
_TIMING_SECONDS: Final = 900.0
#: Tasks that wait in Ray's queue beyond those that run: what an autoscaler sees.
_LEAST_WAITING: Final = 16


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
        sends_states: bool = True,
        log: Log = ignore_log,
        clock: Callable[[], float] = time.monotonic,
        limits: WaitLimits | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._cluster, self._study, self._log, self._clock = cluster, study, log, clock
        self._store = replace(store, out=store.out.absolute(), fence=_make_absolute(store.fence))
        self._limits, self._patience = limits or WaitLimits(), patience or read_patience()
        self._orders = Orders(
            cluster,
            study,
            self._store,
            token,
            self._patience.beat,
            on_gpu=on_gpu,
            sends_states=sends_states,
        )
        self._losses = TaskLosses(study, self._store, log)
        self._capacity = Capacity(cluster, self._limits.look)
        self._waiting: deque[Pack] = deque()
        self._flights: list[Flight] = []
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
            ready = self._cluster.wait([flight.handle for flight in self._flights], LOOK_SECONDS)
            now = self._clock()
            # At most this: had this process been stopped, nobody would have been silent.
            self._read_letters(min(now - last, 20 * LOOK_SECONDS), on_event)
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
        self._capacity.look(self._orders.need(placement.threads), self._clock())
        asked, places = self._study.study.workers, self._capacity.places
        most = places + max(_LEAST_WAITING, places) if asked == "auto" else asked
        while self._waiting and len(self._flights) < most:
            self._flights.append(self._submit(self._waiting.popleft(), placement))

    def _submit(self, pack: Pack, placement: Placement) -> Flight:
        memory = min(self._losses.find_memory(pack), self._capacity.most_memory)
        return self._orders.send_pack(pack, placement, memory)

    # What comes back

    def _read_letters(self, seconds: float, on_event: OnEvent) -> None:
        """Take what tasks say, and count how long the others have said nothing."""
        try:
            letters = self._cluster.read_letters()
        except NoAnswerError as error:
            self._unanswered += max(seconds, LOOK_SECONDS)
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
        if answer.is_cut_short:
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
        again = self._losses.take_back(flight, kind, how, on_event)
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
        node = self._find_timing_node(benchmarks)
        if node is None:
            return []
        tell_stage(f"timing training steps of {benchmarks[0].runs[0].arm} on node {node.address}")
        handles = [self._orders.send_benchmark(benchmark, node) for benchmark in benchmarks]
        times = gather_results(self._cluster, handles, _TIMING_SECONDS, self._clock)
        return [] if None in times else times

    def _find_timing_node(self, benchmarks: Sequence[StepBenchmark]) -> Node | None:
        """The largest node, if it runs the benchmarks at once."""
        needs = self._orders.need(benchmarks[0].threads)
        nodes = self._cluster.list_nodes()
        fitting = [node for node in nodes if needs.count_fitting(node) >= len(benchmarks)]
        return find_best(fitting) if fitting else None

    def stop(self) -> None:
        """End all tasks: those that train may save their states first."""
        for flight in self._flights:
            self._cluster.end(flight.handle, force=False)
        handles = [flight.handle for flight in self._flights]
        for handle in await_tasks(self._cluster, handles, _END_SECONDS, self._clock):
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
