"""Processes import nothing from the current folder; the environment stays what it was."""

from __future__ import annotations

import os
import threading

import pytest

from headstart.execute.safe_start import keep_out_current_folder


def test_the_environment_is_as_before_though_threads_begin_processes_side_by_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    inside, may_leave = threading.Event(), threading.Event()
    seen: list[str | None] = []

    def begin() -> None:
        with keep_out_current_folder():
            inside.set()
            may_leave.wait(60)
            seen.append(os.environ.get("PYTHONSAFEPATH"))

    threads = [threading.Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert inside.wait(60)
    may_leave.set()
    for thread in threads:
        thread.join(60)
    assert seen == ["1", "1"]
    assert "PYTHONSAFEPATH" not in os.environ
