"""Carries packs out on this machine: in worker processes that train side by side, or in this one.

A worker that dies (killed for memory, say) is replaced; its pack goes on in halves, and a run that was
alone has failed.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

from headstart.config.expand import Pack, Run
from headstart.config.traits import method_traits
from headstart.engine.device import choose_device
from headstart.errors import HeadstartError, TrainingError
from headstart.execute.crew import Crew, choose_crew
from headstart.execute.expect import Outlook, timed
from headstart.execute.forecast import Forecast, expected_seconds, in_words
from headstart.execute.pin import share
from headstart.execute.probe import Probe, Timing
from headstart.execute.worker import Job, Message, as_handler, serve
from headstart.prepared import PreparedStudy as Prepared
from headstart.records import Range
from headstart.store.runs import RunStore
from headstart.training.grouping import halve_pack
from headstart.training.run_records import make_failed_record
from headstart.training.train_pack import train_pack

_MODULES = "headstart.execute.worker"


def warm_up() -> None:
    """Begin loading torch for the workers in the background, while the caller reads data.

    Workers are forked from one server process that has loaded everything once.
    """
    _refuse_bootstrapping()
    context = _context()
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload([_MODULES])
        from multiprocessing.forkserver import ensure_running

        ensure_running()


def _context() -> BaseContext:
    """Workers come from a server without threads of its own; where there is none, from fresh processes."""
    known = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in known else "spawn")


def process_bytes() -> int:
    """Resident memory of this process, which a worker's is like before it has a model."""
    return int(psutil.Process().memory_info().rss)


def carry_out_all(
    seen: Forecast,
    store: RunStore,
    watcher: Any,
    announce: Callable[[str], None],
    crew: Crew | None = None,
) -> tuple[Crew, Range | None]:
    """Train the runs that are left as the study's `workers` and `pack` say, or as the `crew` that is given.

    `announce` is told what is expected before the first run begins. Gives with what crew, and the seconds
    that were expected, where steps were timed.
    """
    prepared = seen.prepared
    if prepared.study.workers == 0:
        crew = in_this_process(prepared)
        packs = _announced(seen, crew, announce)
        for pack in packs:
            train_pack(pack, prepared, store, 1, as_handler(watcher))
        return crew, None
    with Workers(prepared, store) as pool:
        crew = crew or choose(seen, pool)
        pool.resize(0)  # a process that has probed keeps the memory of its largest pack
        packs = _announced(replace(seen, found=tuple(timed(seen.found, crew))), crew, announce)
        pool.carry_out(packs, crew, watcher)
    return crew, expected_seconds(packs, crew)


def _announced(seen: Forecast, crew: Crew, announce: Callable[[str], None]) -> list[Pack]:
    packs = seen.packs(crew)
    expected = in_words(packs, crew)
    if expected:
        announce(expected)
    return packs


def in_this_process(prepared: Prepared) -> Crew:
    """The crew of a study with `workers: 0`."""
    return Crew(0, 0, "asked for", 1 if prepared.study.pack == "auto" else prepared.study.pack)


def choose(seen: Forecast, pool: Workers) -> Crew:
    """The crew for what is to be trained, by timing real steps in the pool's processes."""
    study = seen.prepared.study
    texts = {run.key: seen.prepared.select(run).train_count for run in seen.left}
    needs = [memory.low for one in seen.found if (memory := one.memory(1)) is not None]
    return choose_crew(
        [one.group for one in seen.found],
        texts,
        pool,
        workers=study.workers,
        pack=study.pack,
        device=choose_device(study.device).type,
        bytes_each=int(max(needs, default=0)),
    )


def measured(seen: Forecast, store: RunStore, announce: Callable[[str], None]) -> Forecast:
    """The forecast with real steps of each kind of run, soon forgotten, and the crew that they choose."""
    if not any(_makes_steps(one) for one in seen.found):
        return seen
    announce("making a few steps of each kind of run")
    with Workers(seen.prepared, store) as pool:
        crew = in_this_process(seen.prepared) if seen.prepared.study.workers == 0 else choose(seen, pool)
        known: dict[str, Outlook] = {}
        found = []
        for one in timed(seen.found, crew):
            like = known.get(one.group.shape)
            if like is not None:
                one = replace(one, timings=like.timings, pack=like.pack)
            elif not one.timings and _makes_steps(one):
                one = _timed_now(one, crew, pool)
            known[one.group.shape] = one
            found.append(one)
    return replace(seen, found=tuple(found), crew=crew)


def _makes_steps(one: Outlook) -> bool:
    return method_traits(one.group.runs[0].method).has_steps


def _timed_now(one: Outlook, crew: Crew, pool: Workers) -> Outlook:
    """A few steps in fresh processes, of the largest pack that the crew would train."""
    runs = one.group.runs[: min(crew.pack, one.group.most)]
    workers = max(1, min(crew.workers, len(one.group.runs)))
    pool.resize(0)
    pool.resize(workers)
    timings = pool.ask([Probe(runs, crew.threads)] * workers)
    return replace(one, timings=tuple(timings), pack=len(runs))


def _refuse_bootstrapping() -> None:
    """A script that trains at its top level would train again in each worker that imports it."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise HeadstartError(
            "a study was started while a worker process was importing the main script",
            fix='put the call under `if __name__ == "__main__":`, or set workers to 0',
        )


class _Worker:
    """One process, its pipe, and the pack it has in hand."""

    def __init__(self, context: BaseContext, prepared: Prepared, store: RunStore) -> None:
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=serve, args=(theirs, prepared, store.out), daemon=True
        )
        self.process.start()
        theirs.close()
        self.pack: Pack | None = None

    def stop(self) -> None:
        """End the process, whatever it does: what it has not finished is not on disk."""
        self.process.terminate()
        self.process.join()
        self.pipe.close()


class Workers:
    """A pool of workers; leaving its context ends them, whatever they do."""

    def __init__(self, prepared: Prepared, store: RunStore) -> None:
        self.prepared, self._store = prepared, store
        self._context = _context()
        self._workers: list[_Worker] = []
        self._waiting: deque[Pack] = deque()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.resize(0)

    def resize(self, count: int) -> None:
        """Have exactly `count` workers."""
        while len(self._workers) > count:
            self._workers.pop().stop()
        while len(self._workers) < count:
            self._workers.append(_Worker(self._context, self.prepared, self._store))

    def ask(self, probes: Sequence[Probe]) -> list[Timing]:
        """Have the first workers time a probe each, all at once; empty where one of them died."""
        self.resize(max(len(self._workers), len(probes)))  # where one died, all were ended
        asked = self._workers[: len(probes)]
        try:
            for place, (worker, probe) in enumerate(zip(asked, probes, strict=True)):
                worker.pipe.send(replace(probe, processors=share(place, len(probes))))
            return [worker.pipe.recv() for worker in asked]
        except (EOFError, OSError):
            self.resize(0)
            return []

    def carry_out(self, packs: Sequence[Pack], crew: Crew, watcher: Any) -> None:
        """Hand the packs out, one to each idle worker, until all have ended."""
        self._waiting = deque(packs)
        self.resize(crew.workers)
        while self._waiting or any(worker.pack for worker in self._workers):
            for place, worker in enumerate(self._workers):
                if worker.pack is None and self._waiting:
                    worker.pack = self._waiting.popleft()
                    job = Job(worker.pack, crew.threads, crew.workers, share(place, crew.workers))
                    with suppress(OSError):  # one that died idle is heard of below
                        worker.pipe.send(job)
            busy = {worker.pipe: worker for worker in self._workers if worker.pack}
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                self._hear(busy[pipe], watcher)

    def _hear(self, worker: _Worker, watcher: Any) -> None:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(worker, watcher)
            return
        if isinstance(message, Message):
            getattr(watcher, message.method)(*message.arguments)
        else:
            worker.pack = None

    def _replace(self, worker: _Worker, watcher: Any) -> None:
        """Put a fresh worker in the place of one that died, and its pack in halves back into the queue.

        A run that was alone is recorded as failed.
        """
        worker.process.join()
        code = worker.process.exitcode or 0
        pack, worker.pack = worker.pack, None
        if pack is not None and len(pack.runs) > 1:
            self._waiting.extendleft(reversed(halve_pack(pack)))
        elif pack is not None:
            self._fail(pack.runs[0], code, watcher)
        self._workers[self._workers.index(worker)] = _Worker(self._context, self.prepared, self._store)
        worker.stop()

    def _fail(self, run: Run, code: int, watcher: Any) -> None:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        error = TrainingError(
            f"its process {how}",
            where=f"run {run.key}",
            fix="if memory ran out: lower workers or training.batch_size, then run again",
        )
        record = make_failed_record(self.prepared.select(run), error)
        self._store.write(record)
        watcher.ended(record)
