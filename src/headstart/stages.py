"""Says what takes a while before training and after it, to whoever listens: nobody by default.

A stage lasts until the next one is told. Training itself has events (`headstart.events`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

#: The stage in which libraries are imported, which takes seconds.
LOADING: Final = "loading PyTorch and transformers"
#: Is told each stage as it begins, such as "tokenising 1,200 texts".
OnStage = Callable[[str], None]


def _ignore_stage(stage: str) -> None:
    """Listen to nothing."""


_listener: ContextVar[OnStage] = ContextVar("listener", default=_ignore_stage)


def tell_stage(stage: str) -> None:
    """Say that a stage begins, and the one before is over."""
    _listener.get()(stage)


@contextmanager
def listen_to_stages(on_stage: OnStage) -> Iterator[None]:
    """Have `on_stage` told of each stage that begins inside the block, in this thread."""
    token = _listener.set(on_stage)
    try:
        yield
    finally:
        _listener.reset(token)
