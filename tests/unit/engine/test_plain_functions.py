"""Within the block a layer's code calls the Python behind a scripted function; the function comes back."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import Any

import pytest
import torch
from torch import nn

from headstart.engine.plain_functions import use_plain_functions
from host_reads import ForbidHostReads, HostReadError


def add_three(x: torch.Tensor) -> torch.Tensor:
    """With a number that the host makes, as in DeBERTa of transformers 5.17."""
    return x + torch.tensor(3).to(x.device)


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    scripted: Any = torch.jit.script(add_three)


class Layer(nn.Module):
    """Calls what its module holds under that name."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`scripted`."""
        result: torch.Tensor = scripted(x)
        return result


MODEL = nn.Sequential(Layer(), nn.Linear(2, 2))


def _get() -> Any:
    return sys.modules[__name__].scripted


def test_it_is_called_within_the_block_alone() -> None:
    own = _get()
    assert isinstance(own, torch.jit.ScriptFunction)
    with use_plain_functions(MODEL):
        with use_plain_functions(MODEL):
            assert _get() is add_three
        assert _get() is add_three
        assert torch.equal(Layer()(torch.ones(2)), torch.full((2,), 4.0))
    assert _get() is own


def test_an_error_brings_the_librarys_back() -> None:
    own = _get()
    with pytest.raises(KeyError), use_plain_functions(MODEL):
        raise KeyError
    assert _get() is own


def test_a_block_of_another_thread_is_not_ended_by_this_one() -> None:
    own, entered, leave = _get(), threading.Event(), threading.Event()

    def stay() -> None:
        with use_plain_functions(MODEL):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=stay)
    thread.start()
    assert entered.wait(10)
    with use_plain_functions(MODEL):
        pass
    assert _get() is add_three
    leave.set()
    thread.join()
    assert _get() is own


def test_modes_see_into_the_plain_one() -> None:
    """What the host copies shows on the meta device; in TorchScript nothing sees it."""
    x = torch.ones(2, device="meta")
    with use_plain_functions(MODEL), ForbidHostReads("meta"), pytest.raises(HostReadError, match="copies"):
        Layer()(x)
