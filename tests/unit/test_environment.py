"""Variables of the environment are set for a while, by one thread at a time, and put back."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import pytest

from headstart.environment import set_variable

NAME = "HEADSTART_TESTED_VARIABLE"


@pytest.mark.parametrize("before", [None, "former"])
def test_what_was_there_is_put_back(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    if before is not None:
        monkeypatch.setenv(NAME, before)
    with suppress(ZeroDivisionError), set_variable(NAME, "meanwhile"):
        assert os.environ[NAME] == "meanwhile"
        raise ZeroDivisionError
    assert os.environ.get(NAME) == before


def test_another_thread_waits_for_the_same_variable_and_not_for_another() -> None:
    seen: list[str] = []

    def enter(name: str) -> None:
        with set_variable(name, "theirs"):
            seen.append(name)

    other, same = (threading.Thread(target=enter, args=(name,)) for name in (f"{NAME}_2", NAME))
    with set_variable(NAME, "ours"):
        same.start()
        other.start()
        other.join(timeout=30)
        assert seen == [f"{NAME}_2"]
    same.join(timeout=30)
    assert seen == [f"{NAME}_2", NAME]
