"""Puts a module into evaluation mode for a while, and back into the mode it was in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Without dropout inside; whatever happens there."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)
