"""Stages are told to whoever listens in this thread, and to nobody else."""

from __future__ import annotations

import threading

from headstart.stages import listen_to_stages, tell_stage


def test_nobody_listens_by_default_and_listeners_are_nested() -> None:
    outer: list[str] = []
    inner: list[str] = []
    tell_stage("before")
    with listen_to_stages(outer.append):
        tell_stage("a")
        with listen_to_stages(inner.append):
            tell_stage("b")
        tell_stage("c")
    tell_stage("after")
    assert (outer, inner) == (["a", "c"], ["b"])


def test_other_threads_are_not_heard() -> None:
    told: list[str] = []
    with listen_to_stages(told.append):
        thread = threading.Thread(target=tell_stage, args=("elsewhere",))
        thread.start()
        thread.join()
    assert told == []
