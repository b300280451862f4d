"""Has a model's code call the Python that TorchScript compiled, whose own tensors no mode sees."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class _Scripted:
    """A function of a code module that TorchScript compiled, and what it was written as."""

    module: str
    name: str
    compiled: torch.jit.ScriptFunction[Any, Any]
    plain: Callable[..., Any]

    def put(self, function: Callable[..., Any]) -> None:
        """Have the code module's own functions find this one under the name."""
        setattr(sys.modules[self.module], self.name, function)


_lock = threading.Lock()
#: Blocks that are under way in any thread, by function.
_under_way: Counter[_Scripted] = Counter()
#: What was found in a code module: its functions are looked through once.
_found: dict[str, tuple[_Scripted, ...]] = {}


@contextmanager
def use_plain_functions(module: nn.Module) -> Iterator[None]:
    """Within the block, the code of a module's layers calls no function that TorchScript compiled.

    A scripted function copies numbers to the device, which no captured CUDA graph can hold, and no mode can
    have it fill them in. The library's own come back after the block.
    """
    scripted = _find_scripted(module)
    if not scripted:
        yield
        return
    with _lock:
        for each in scripted:
            each.put(each.plain)
        _under_way.update(scripted)
    try:
        yield
    finally:
        with _lock:
            _under_way.subtract(scripted)
            for each in scripted:
                if not _under_way[each]:
                    each.put(each.compiled)


def _find_scripted(module: nn.Module) -> list[_Scripted]:
    """In all the code that the module's layers are of."""
    names = {type(layer).__module__ for layer in module.modules()}
    with _lock:
        for name in names - _found.keys():
            _found[name] = tuple(_iter_scripted(name))
        return [each for name in sorted(names) for each in _found[name]]


def _iter_scripted(module: str) -> Iterator[_Scripted]:
    for name, value in vars(sys.modules[module]).items():
        # Kept for torch's own compiler, which has to look into a function too.
        plain = getattr(value, "_torchdynamo_inline", None)
        if isinstance(value, torch.jit.ScriptFunction) and plain is not None:
            yield _Scripted(module, name, value, plain)
