"""Which backend trains a study: worker processes here, `headstart work` elsewhere, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from headstart.config.study import Study
from headstart.errors import HeadstartError
from headstart.events import Log
from headstart.execute.backend import Backend
from headstart.execute.group import open_backend as open_here
from headstart.execute.open_study import OpenStudy
from headstart.execute.pool import preload_workers
from headstart.execute.queue import open_queue_backend
from headstart.store.queue_end import end_queue

BackendName = Literal["local", "ray"]
_NAMES: Final = get_args(BackendName)


@dataclass(frozen=True)
class Trainers:
    """What trains a study: `backend`, at `address` where it is a cluster's; without `local_workers`, whoever
    takes packs from the study's folder."""

    backend: BackendName = "local"
    address: str | None = None
    local_workers: bool = True

    @property
    def option(self) -> str:
        """What asks for them on the command line."""
        return f"--backend {self.backend}" if self.local_workers else "--no-local-workers"


def prepare_backend(study: Study, trainers: Trainers) -> None:
    """Check what was asked for, and begin what takes a while: to be called before the study is opened.

    Raises:
        HeadstartError: there is no such backend, it has no address, or it cannot train such a study.
    """
    _check_backend(trainers)
    is_here = trainers.local_workers and trainers.backend == "local"
    if study.parallel is not None and not is_here:
        raise HeadstartError(
            "parallel trains one model by processes of this machine",
            where=trainers.option,
            fix=f"leave parallel out of the study, or {trainers.option}",
        )
    if trainers.backend == "ray" and study.workers == 0:
        raise HeadstartError(
            "workers: 0 trains in this process",
            where=trainers.option,
            fix="set workers: auto, or 1 or more",
        )
    if is_here and study.workers != 0:
        preload_workers()


def _check_backend(trainers: Trainers) -> None:
    if trainers.backend not in _NAMES:
        raise HeadstartError(f"{trainers.backend!r}", where="--backend", expected=" or ".join(_NAMES))
    if trainers.backend == "ray" and not trainers.local_workers:
        raise HeadstartError(
            "given beside --backend ray, whose tasks train",
            where="--no-local-workers",
            fix="leave out one of them",
        )
    if trainers.backend == "local" and trainers.address is not None:
        raise HeadstartError(
            f"{trainers.address}, but no Ray cluster trains",
            where="--address",
            expected="--backend ray as well",
            fix="leave it out, or add --backend ray",
        )


def end_other_trainers(out: Path, trainers: Trainers, *, wait: bool, log: Log) -> None:
    """See that nobody trains packs of an earlier queue of the folder, unless they are to go on.

    Raises:
        OutputError: somebody does, and `wait` is not set.
    """
    if trainers.local_workers:
        end_queue(out, wait=wait, log=log)


@contextmanager
def open_backend(opened: OpenStudy, trainers: Trainers, log: Log) -> Iterator[tuple[OpenStudy, Backend]]:
    """The study as the backend trains it, and the backend, whose processes end with the block.

    Raises:
        HeadstartError: it cannot train the study.
    """
    if trainers.backend == "ray":
        # Here: few studies are trained so, and each run would load all of it first.
        from headstart.execute.ray.opening import open_ray_backend

        with open_ray_backend(opened, trainers.address, log) as (opened, on_ray):
            yield opened, on_ray
        return
    open_there = open_here if trainers.local_workers else open_queue_backend
    with open_there(opened.prepared, opened.store, log) as backend:
        yield opened, backend
