"""Passes that cannot be compiled: they are made as they are, and the reason is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from headstart.engine.kind import force_device_engine
from tiny_pretraining import make_roberta, make_settings, pretrain_tiny


class _FailingBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss: torch.Tensor) -> torch.Tensor:
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        raise torch._dynamo.exc.Unsupported("no such backward pass")


def _fail_forwards(function: Callable[..., torch.Tensor], **settings: Any) -> Callable[..., torch.Tensor]:
    def call(*inputs: Any) -> torch.Tensor:
        raise torch._dynamo.exc.Unsupported("no such pass")

    return call


def _fail_backwards(function: Callable[..., torch.Tensor], **settings: Any) -> Callable[..., torch.Tensor]:
    def call(*inputs: Any) -> torch.Tensor:
        loss: torch.Tensor = _FailingBackward.apply(function(*inputs))  # type: ignore[no-untyped-call]
        return loss

    return call


@pytest.mark.parametrize("is_device", [False, True])
@pytest.mark.parametrize("compiler", [_fail_forwards, _fail_backwards])
def test_what_cannot_be_compiled_is_trained_as_it_is(
    compiler: Any, is_device: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backward pass is compiled when it first runs: that may fail after the forward one did not."""
    found = []
    for compiles in ("on", "off"):
        model = make_roberta(dropout=0.1)
        with monkeypatch.context() as patch, force_device_engine() if is_device else nullcontext():
            patch.setattr(torch, "compile", compiler)
            record = pretrain_tiny(make_settings(compile=compiles), model, tmp_path / compiles)
        found.append((model.state_dict(), record))
    (failed, record), (plain, _) = found
    assert not record.compiled
    assert record.eager_reason is not None
    assert record.eager_reason.startswith("not compiled: Unsupported: no such")
    assert all(torch.equal(value, plain[name]) for name, value in failed.items())
