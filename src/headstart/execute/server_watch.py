"""Lets what a worker process is begun by go on, if somebody stops it meanwhile: it would never answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from headstart.interrupts import continue_stopped


@contextmanager
def keep_server_going(beat: float) -> Iterator[None]:
    """Have nothing stay stopped that a worker begins by, while one is begun here.

    That is its server, which may load torch for seconds first, and the worker itself, which reads what it is
    sent. Workers that were there before are left as they are: who stopped them may mean it.

    Args:
        beat: seconds between two looks.
    """
    before, over = {child.pid for child in _list_descendants()}, threading.Event()
    watch = threading.Thread(target=_watch, args=(before, over, beat), daemon=True)
    _continue_stopped(before)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def _watch(before: set[int], over: threading.Event, beat: float) -> None:
    while not over.wait(beat):
        _continue_stopped(before)


def _continue_stopped(before: set[int]) -> None:
    own = {child.pid for child in psutil.Process().children()}
    for process in _list_descendants():
        if process.pid in own or process.pid not in before:
            continue_stopped(process)


def _list_descendants() -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found
