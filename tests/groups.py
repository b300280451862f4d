"""Groups of processes on this machine for tests: begun once, asked often; with gloo, a thread each."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import FileStore

from headstart.config.parallel import ParallelKind
from headstart.engine.group import Group

#: Seconds that a test may wait for another process.
PATIENCE = 120


class Processes:
    """`size` processes that do the same, each as a rank of its own of one group."""

    def __init__(self, size: int, folder: Path) -> None:
        # Spawned: a process that was forked from one whose threads compute may never compute itself.
        context = multiprocessing.get_context("spawn")
        self._folder, self._asked, self.size = folder, 0, size
        self._pipes: list[Connection] = []
        self._processes = []
        for rank in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, rank, size), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def run(self, function: Callable[..., Any], kind: ParallelKind, *args: Any) -> list[Any]:
        """What `function(group, *args)` gives in each, by rank."""
        self._asked += 1
        for pipe in self._pipes:
            pipe.send((function, kind, args, self._folder / str(self._asked)))
        answers = []
        for rank, pipe in enumerate(self._pipes):
            assert pipe.poll(PATIENCE), f"rank {rank} says nothing"
            answers.append(pipe.recv())
        failed = [answer for ok, answer in answers if not ok]
        assert not failed, "\n".join(failed)
        return [answer for _, answer in answers]

    def stop(self) -> None:
        """End them."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(10)
            process.kill()


@contextmanager
def open_processes(size: int = 2) -> Iterator[Processes]:
    """Processes that end with the block."""
    with tempfile.TemporaryDirectory() as folder:
        processes = Processes(size, Path(folder))
        try:
            yield processes
        finally:
            processes.stop()


def _serve(pipe: Connection, rank: int, size: int) -> None:
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    while True:
        try:
            function, kind, args, file = pipe.recv()
        except (EOFError, OSError):
            return
        store = FileStore(str(file), size)
        dist.init_process_group(
            "gloo", store=store, rank=rank, world_size=size, timeout=timedelta(seconds=PATIENCE)
        )
        try:
            pipe.send((True, function(Group(kind, rank, size), *args)))
        except BaseException:  # noqa: BLE001 - the test is to say what it was
            pipe.send((False, f"rank {rank}: {traceback.format_exc()}"))
        finally:
            dist.destroy_process_group()
