"""Which backend trains a study: this machine's worker processes, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, get_args

from headstart.config.study import Study
from headstart.errors import HeadstartError
from headstart.events import Log
from headstart.execute.backend import Backend
from headstart.execute.group import open_backend as open_here
from headstart.execute.local import preload_workers
from headstart.execute.open_study import OpenStudy
from headstart.execute.ray.backend import open_ray_backend

BackendName = Literal["local", "ray"]
_NAMES: Final = get_args(BackendName)


def prepare_backend(study: Study, backend: BackendName, address: str | None) -> None:
    """Check what was asked for, and begin what takes a while: to be called before the study is opened.

    Raises:
        HeadstartError: there is no such backend, or it has no address.
    """
    if backend not in _NAMES:
        raise HeadstartError(f"{backend!r}", where="--backend", expected=" or ".join(_NAMES))
    if backend == "local":
        if address is not None:
            raise HeadstartError(
                f"{address}, but this machine trains",
                where="--address",
                expected="--backend ray as well",
                fix="leave it out, or add --backend ray",
            )
        if study.workers != 0:
            preload_workers()
    elif study.parallel is not None:
        raise HeadstartError(
            "parallel trains one model by processes of this machine",
            where="--backend ray",
            fix="leave parallel out of the study, or --backend ray",
        )


@contextmanager
def open_backend(
    opened: OpenStudy, backend: BackendName, address: str | None, log: Log
) -> Iterator[tuple[OpenStudy, Backend]]:
    """The study as the backend trains it, and the backend, whose processes end with the block.

    Raises:
        HeadstartError: it cannot train the study.
    """
    if backend == "ray":
        with open_ray_backend(opened, address, log) as (opened, on_ray):
            yield opened, on_ray
    else:
        with open_here(opened.prepared, opened.store, log) as on_this_machine:
            yield opened, on_this_machine
