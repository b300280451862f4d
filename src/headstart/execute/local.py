"""Carries packs out on this machine: in worker processes that train side by side, or in this one.

A worker that dies (killed for memory, say) is replaced; its pack goes on in halves, and a run that was
alone has failed.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess

from headstart.config.expand import Pack, Run
from headstart.engine.device import choose_device
from headstart.errors import HeadstartError, TrainingError
from headstart.execute.crew import Crew, choose_crew
from headstart.execute.group import groups, halves, packs
from headstart.execute.pack import Watcher, carry_out, failed, texts_of
from headstart.execute.pin import share
from headstart.execute.prepare import Prepared, as_begun
from headstart.execute.probe import Probe, Timing
from headstart.execute.worker import Job, Message, serve
from headstart.store.runs import RunStore

_MODULES = "headstart.execute.worker"
#: Probes that train as one where the study leaves it open: a step costs what calling its operators costs.
_PROBES = 32


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


def carry_out_all(runs: Sequence[Run], prepared: Prepared, store: RunStore, watcher: Watcher) -> Crew:
    """Train the runs as the study's `workers` and `pack` say, and give with what crew."""
    prepared = as_begun(prepared, store.done().values())
    study, grouped = prepared.study, groups(runs, prepared)
    probes = _PROBES if study.pack == "auto" else 1
    if study.workers == 0:
        crew = Crew(0, 0, "asked for", 1 if study.pack == "auto" else study.pack)
        for pack in packs(grouped, crew.pack, probes):
            carry_out(pack, prepared, store, 1, watcher)
        return crew
    texts = {run.key: texts_of(run, prepared) for run in runs}
    with _Workers(prepared, store) as pool:
        device = choose_device(study.device).type
        crew = choose_crew(grouped, texts, pool, workers=study.workers, pack=study.pack, device=device)
        pool.resize(0)  # a process that has probed keeps the memory of its largest pack
        pool.carry_out(packs(grouped, crew.pack, probes), crew, watcher)
    return crew


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


class _Workers:
    """A pool of workers; leaving its context ends them, whatever they do."""

    def __init__(self, prepared: Prepared, store: RunStore) -> None:
        self.prepared, self._store = prepared, store
        self._context = _context()
        self._workers: list[_Worker] = []
        self._waiting: deque[Pack] = deque()

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
        self.resize(max(len(self._workers), len(probes)))  # where one died, all were ended
        asked = self._workers[: len(probes)]
        try:
            for place, (worker, probe) in enumerate(zip(asked, probes, strict=True)):
                worker.pipe.send(replace(probe, processors=share(place, len(probes))))
            return [worker.pipe.recv() for worker in asked]
        except (EOFError, OSError):
            self.resize(0)
            return []

    def carry_out(self, packs: Sequence[Pack], crew: Crew, watcher: Watcher) -> None:
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
        """Put a fresh worker in the place of one that died, and its pack in halves back into the queue.

        A run that was alone is recorded as failed.
        """
        worker.process.join()
        code = worker.process.exitcode or 0
        pack, worker.pack = worker.pack, None
        if pack is not None and len(pack.runs) > 1:
            self._waiting.extendleft(reversed(halves(pack)))
        elif pack is not None:
            self._fail(pack.runs[0], code, watcher)
        self._workers[self._workers.index(worker)] = _Worker(self._context, self.prepared, self._store)
        worker.stop()

    def _fail(self, run: Run, code: int, watcher: Watcher) -> None:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        error = TrainingError(
            f"its process {how}",
            where=f"run {run.key}",
            fix="if memory ran out: lower workers or training.batch_size, then run again",
        )
        record = failed(run, self.prepared, error)
        self._store.write(record)
        watcher.ended(record)
