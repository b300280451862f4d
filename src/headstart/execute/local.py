"""Carries packs out on this machine: in worker processes that train side by side, or in this one.

On a CPU a short probe decides between one process with all threads and one worker a core; on a GPU one
process trains. A worker that dies (killed for memory, say) fails its run and is replaced.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Literal

import psutil

from headstart.config.expand import Pack, Run
from headstart.engine.schedule import total_steps
from headstart.errors import HeadstartError, TrainingError
from headstart.execute.pack import Watcher, carry_out, failed, texts_of
from headstart.execute.prepare import Prepared
from headstart.execute.probe import Probe, Timing
from headstart.execute.worker import Job, Message, serve
from headstart.store.runs import RunStore

#: Of the memory that is free, the share that workers may fill.
_MEMORY_SHARE = 0.8
#: Steps of a whole study below which a probe of some tens would cost more than it can save.
_WORTH_A_PROBE = 200
_MODULES = "headstart.execute.worker"


@dataclass(frozen=True)
class Crew:
    """How the study is trained: `workers` processes (0: this one), each with `threads` threads, and why."""

    workers: int
    threads: int
    reason: str


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


def cores() -> int:
    """Processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def carry_out_all(
    packs: Sequence[Pack],
    prepared: Prepared,
    store: RunStore,
    *,
    workers: int | Literal["auto"],
    device: str,
    watcher: Watcher,
) -> Crew:
    """Carry every pack out and say with what crew."""
    if workers == 0:
        for pack in packs:
            carry_out(pack, prepared, store, 1, watcher)
        return Crew(0, 0, "asked for")
    with _Workers(prepared, store) as pool:
        crew = _choose_crew(packs, pool, workers, device)
        pool.resize(crew.workers)
        pool.carry_out(_longest_first(packs), crew, watcher)
    return crew


def _refuse_bootstrapping() -> None:
    """A script that trains at its top level would train again in each worker that imports it."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise HeadstartError(
            "a study was started while a worker process was importing the main script",
            fix='put the call under `if __name__ == "__main__":`, or set workers to 0',
        )


def _longest_first(packs: Sequence[Pack]) -> list[Pack]:
    """Baselines of seconds last: they fill the gap while the last long run ends."""
    return sorted(packs, key=lambda pack: pack.runs[0].method == "bag-of-words")


def _choose_crew(packs: Sequence[Pack], pool: _Workers, asked: int | Literal["auto"], device: str) -> Crew:
    neural = [pack.runs[0] for pack in packs if pack.runs[0].method != "bag-of-words"]
    if asked != "auto":
        count = min(asked, len(packs))
        return Crew(count, max(1, cores() // count), "asked for")
    if device != "cpu":
        return Crew(1, 0, f"one process on {device}")
    most = min(cores(), len(neural))
    if most < 2:
        return Crew(1, cores(), "one run at a time")
    if _steps(neural, pool.prepared) < _WORTH_A_PROBE:
        return Crew(most, max(1, cores() // most), "too few steps for a probe")
    return _probe(neural[0], pool, most)


def _steps(runs: Sequence[Run], prepared: Prepared) -> int:
    """Optimiser steps of all runs together."""
    return sum(total_steps(run.training, texts_of(run, prepared)) for run in runs)


def _probe(run: Run, pool: _Workers, most: int) -> Crew:
    """Time `most` workers at once, one thread each, then one alone with all threads."""
    each = max(1, cores() // most)
    pool.resize(most)
    together = pool.ask([Probe(run, each)] * most)
    alone = pool.ask([Probe(run, cores())])
    if not together or not alone:
        return Crew(1, cores(), "the probe failed; one process with all threads")
    shared, single = sum(t.seconds for t in together) / most, alone[0].seconds
    measured = f"probe: {most} workers {1e3 * shared / most:.0f} ms a step, one process {1e3 * single:.0f} ms"
    fits = _fitting(max(t.peak_memory_bytes for t in together))
    if fits < most:
        return Crew(1, cores(), f"{measured}; memory holds {fits} of {most} workers")
    return Crew(most, each, measured) if shared / most < single else Crew(1, cores(), measured)


def _fitting(bytes_each: int) -> int:
    """How many workers memory holds: those that the probe started are in use already."""
    free = psutil.virtual_memory().available
    return max(1, int(_MEMORY_SHARE * (free + bytes_each) // bytes_each))


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


class _Workers:
    """A pool of workers; leaving its context ends them, whatever they do."""

    def __init__(self, prepared: Prepared, store: RunStore) -> None:
        self.prepared, self._store = prepared, store
        self._context = _context()
        self._workers: list[_Worker] = []

    def __enter__(self) -> _Workers:
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
        asked = self._workers[: len(probes)]
        try:
            for worker, probe in zip(asked, probes, strict=True):
                worker.pipe.send(probe)
            return [worker.pipe.recv() for worker in asked]
        except (EOFError, OSError):
            self.resize(0)
            return []

    def carry_out(self, packs: Sequence[Pack], crew: Crew, watcher: Watcher) -> None:
        """Hand the packs out, one to each idle worker, until all have ended."""
        waiting = deque(packs)
        self.resize(crew.workers)
        while waiting or any(worker.pack for worker in self._workers):
            for worker in self._workers:
                if worker.pack is None and waiting:
                    worker.pack = waiting.popleft()
                    with suppress(OSError):  # one that died idle is heard of below
                        worker.pipe.send(Job(worker.pack, crew.threads, crew.workers))
            busy = {worker.pipe: worker for worker in self._workers if worker.pack}
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                self._hear(busy[pipe], watcher)

    def _hear(self, worker: _Worker, watcher: Watcher) -> None:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(worker, watcher)
            return
        if isinstance(message, Message):
            getattr(watcher, message.method)(*message.arguments)
        else:
            worker.pack = None

    def _replace(self, worker: _Worker, watcher: Watcher) -> None:
        """Record the runs of a worker that died as failed, and put a fresh one in its place."""
        worker.process.join()
        code = worker.process.exitcode or 0
        why = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
        for run in worker.pack.runs if worker.pack else ():
            error = TrainingError(
                f"its process was {why}" if code < 0 else f"its process {why}",
                where=f"run {run.key}",
                fix="if memory ran out: lower workers or training.batch_size, then run again",
            )
            record = failed(run, self.prepared, error)
            self._store.write(record)
            watcher.ended(record)
        worker.pack = None
        self._workers[self._workers.index(worker)] = _Worker(self._context, self.prepared, self._store)
        worker.stop()
