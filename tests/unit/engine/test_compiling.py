"""Compiled passes are the module's own, one graph for all lengths; where that fails, steps go on without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from captured import CountingCapture, make_device_weights, train_on_device
from headstart.engine.compiling import count_product_weights, pays_to_compile
from headstart.engine.feeds import IndexFeed, StepShape
from headstart.engine.member import Member
from headstart.engine.runtime import StepNotes
from tiny import EventRecorder, make_tiny_context, make_tiny_model, make_tiny_run

RUNS = [(make_tiny_run(seed, epochs=2), np.arange(30)) for seed in range(2)]
FAMILIES = ["roberta", "bert", "deberta-v2", "gpt2", "bloom", "llama", "modernbert", "mpnet"]
#: One each time: compiling takes ten seconds a family.
_SOME_EACH_TIME = [
    pytest.param(one, marks=() if one == "deberta-v2" else pytest.mark.long) for one in FAMILIES
]


class _CountingCompiler:
    """torch.compile down to its traced graphs, which run as they are, and are counted; or one that fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.graphs, self._error = CompileCounterWithBackend("aot_eager"), error

    def __call__(self, module: torch.nn.Module) -> Callable[..., Any]:
        """As `compiling.Compiler`."""
        backend = self._fail if self._error else self.graphs
        return torch.compile(module, fullgraph=True, backend=backend)

    def _fail(self, *_: Any) -> Any:
        assert self._error is not None
        raise self._error


def _train(
    family: str, compiles: Any, compiler: _CountingCompiler, count: int = 2
) -> tuple[list[Member], EventRecorder, StepNotes]:
    members, heard = [Member(*case) for case in RUNS[:count]], EventRecorder()
    weights = make_device_weights([make_tiny_model(family, seed=i, dropout=0.2) for i in range(count)])
    context = replace(make_tiny_context(), compiles=compiles)
    capture = CountingCapture(watches=False)
    notes = train_on_device(members, weights, context, heard, capture, compiler=compiler)
    return members, heard, notes


@pytest.mark.parametrize("family", _SOME_EACH_TIME)
def test_compiled_steps_are_the_steps_as_they_are(family: str) -> None:
    compiler = _CountingCompiler()
    compiled, heard, notes = _train(family, "on", compiler)
    plain, expected, _ = _train(family, "off", compiler)
    assert notes == StepNotes(captured=True, compiled=True)
    assert heard.losses == pytest.approx(expected.losses, rel=0, abs=1e-12)
    for member, other in zip(compiled, plain, strict=True):
        assert member.weights is not None
        assert other.weights is not None
        assert torch.allclose(member.weights, other.weights, rtol=0, atol=1e-9)


@pytest.mark.parametrize("family", _SOME_EACH_TIME)
def test_one_graph_serves_batches_of_every_length(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler, lengths, send = _CountingCompiler(), set(), IndexFeed.send

    def remember(self: IndexFeed, *step: Any) -> StepShape:
        shape = send(self, *step)
        lengths.add(shape.tokens)
        return shape

    monkeypatch.setattr(IndexFeed, "send", remember)
    _train(family, "on", compiler)
    assert len(lengths) > 2
    assert compiler.graphs.frame_count == 1


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no such kernel"),
        pytest.param(NotImplementedError("an operator"), marks=pytest.mark.long),
    ],
)
def test_where_compiling_fails_steps_go_on_without_and_the_reason_is_told(error: Exception) -> None:
    _, heard, notes = _train("roberta", "on", _CountingCompiler(error))
    _, expected, _ = _train("roberta", "off", _CountingCompiler())
    assert not notes.compiled
    assert notes.captured
    assert notes.eager_reason is not None
    assert notes.eager_reason.startswith("BackendCompilerFailed")
    assert heard.losses == expected.losses


def test_few_steps_are_not_worth_compiling_and_very_many_are() -> None:
    context, model = make_tiny_context(), make_tiny_model("roberta")
    few = [Member(make_tiny_run(0), np.arange(60))]
    many = [Member(make_tiny_run(0, steps=10**9, batch_size=1024), np.arange(60))]
    assert not pays_to_compile(few, model, context)
    assert pays_to_compile(many, model, context)


def test_weights_in_products_are_counted_by_hand() -> None:
    """2 layers of 4 x 32 x 32 and 2 x 32 x 48, and a head of 32 x 32 and 32 x 3; no table."""
    expected = 2 * (4 * 32 * 32 + 2 * 32 * 48) + 32 * 32 + 32 * 3
    assert count_product_weights(make_tiny_model("roberta")) == expected
    stacked = make_device_weights([make_tiny_model("roberta", seed=i) for i in range(3)]).module
    assert count_product_weights(stacked) == expected
