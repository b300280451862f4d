"""A step without numbers keeps the bytes that a step with numbers does, for every family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from headstart.config.study import Lora
from headstart.data.batches import Batch
from headstart.engine import trace as traces
from headstart.engine.dropout import HostDropout
from headstart.engine.stack import stack
from headstart.engine.trace import SavedTensors, count_saved_bytes, trace_memory
from headstart.methods.lora_layers import inject_adapters
from headstart.tasks import load_task
from headstart.tasks.classification import CLASSIFICATION
from tiny import FAMILIES, PAD, VOCABULARY, make_tiny_config

ROWS, TOKENS, READ = 4, 16, 6


def batch(rows: int = ROWS, targets: bool = False) -> Batch:
    """Random rows, of which the first is shorter."""
    draws = np.random.default_rng(0)
    ids = draws.integers(4, VOCABULARY, (rows, TOKENS))
    mask = np.ones_like(ids)
    ids[0, -2:], mask[0, -2:] = PAD, 0
    token_labels = np.where(draws.random(ids.shape) < 0.5, ids, -100) if targets else None
    return Batch(ids, mask, None, np.zeros(rows, np.int64), token_labels)


def make(family: str, dropout: float = 0.1, library: Any = AutoModelForSequenceClassification) -> Any:
    """A random model in float32."""
    return library.from_config(make_tiny_config(family, dropout), dtype=torch.float32)


def truly(
    own: Callable[[], Any], precision: Any = "fp32", task: Any = CLASSIFICATION, **targets: bool
) -> int:
    """The bytes that a forward pass keeps, counted while it computes."""
    model = own().train()
    traces._drop_table_gradient(model)
    return count_saved_bytes(model, batch(**targets), task, precision)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_without_numbers_keeps_what_a_step_keeps(family: str) -> None:
    traced = trace_memory(lambda: make(family), batch(), batch(READ), CLASSIFICATION, "fp32").step
    assert traced == pytest.approx(truly(lambda: make(family)), rel=0.01)


@pytest.mark.parametrize("precision", ["bf16", "fp64"])
def test_other_formats_keep_what_they_keep(precision: Any) -> None:
    dtype = torch.float64 if precision == "fp64" else torch.float32

    def own() -> Any:
        return AutoModelForSequenceClassification.from_config(make_tiny_config("roberta", 0.1), dtype=dtype)

    traced = trace_memory(own, batch(), batch(READ), CLASSIFICATION, precision)
    assert traced.step == pytest.approx(truly(own, precision), rel=0.01)


@pytest.mark.parametrize("family", ["bloom", "gpt2", "llama"])
def test_a_causal_model_needs_logits_where_something_is_said(family: str) -> None:
    def own() -> Any:
        return make(family, library=AutoModelForCausalLM)

    traced = trace_memory(
        own, batch(targets=True), batch(READ, targets=True), load_task("instruction"), "fp32"
    ).step
    assert traced == pytest.approx(truly(own, task=load_task("instruction"), targets=True), rel=0.01)


def test_adapters_need_less_than_full_tuning() -> None:
    def adapted() -> Any:
        model = make("bert")
        inject_adapters(model, Lora(r=2), 0)
        return model

    full = trace_memory(lambda: make("bert"), batch(), batch(READ), CLASSIFICATION, "fp32").step
    adapter_bytes = trace_memory(adapted, batch(), batch(READ), CLASSIFICATION, "fp32").step
    assert adapter_bytes < full
    assert adapter_bytes == pytest.approx(truly(adapted), rel=0.01)


def test_twice_the_rows_keep_twice_the_memory() -> None:
    single, two = (
        trace_memory(lambda: make("bert"), batch(r), batch(r), CLASSIFICATION, "fp32") for r in (8, 16)
    )
    assert two.step == pytest.approx(2 * single.step, rel=0.1)
    assert (single.evaluation, two.evaluation) == (3 * 8 * 2 * 4, 3 * 16 * 2 * 4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stack_without_numbers_keeps_what_a_stack_keeps(family: str) -> None:
    """A member's share; that is more than a plain model keeps, whose norms need no copy of their result."""
    one = trace_memory(lambda: make(family), batch(), batch(READ), CLASSIFICATION, "fp32")
    traced = trace_memory(lambda: make(family), batch(), batch(READ), CLASSIFICATION, "fp32", members=2)
    two = traces._repeat_rows(batch(), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traces, "_ShapeOnlyDropout", _OrdinaryMasks)
        true = count_saved_bytes(
            stack([make(family), make(family)], check=False), two, CLASSIFICATION, "fp32"
        )
    assert traced.step == pytest.approx(true / 2, rel=0.05)
    assert one.step < 1.01 * traced.step
    assert traced.evaluation == one.evaluation


def test_adapters_in_a_stack_keep_what_they_keep_alone() -> None:
    """Frozen norms are shared; there are constants, which copies of numberless tensors would trip over."""

    def adapted() -> Any:
        model = make("bert")
        inject_adapters(model, Lora(r=2), 0)
        return model

    one, two = (
        trace_memory(adapted, batch(), batch(READ), CLASSIFICATION, "fp32", members=members).step
        for members in (1, 2)
    )
    assert two == pytest.approx(one, rel=0.01)


@pytest.mark.parametrize("family", ["bloom", "llama"])
def test_a_stack_of_causal_models_needs_logits_where_something_is_said(family: str) -> None:
    def own() -> Any:
        return make(family, library=AutoModelForCausalLM)

    read, task = batch(READ, targets=True), load_task("instruction")
    one, two = (
        trace_memory(own, batch(targets=True), read, task, "fp32", members=members).step for members in (1, 2)
    )
    assert 0.99 * one < two < 1.5 * one


class _OrdinaryMasks(HostDropout):
    """Dropout as it is, with real masks."""

    def __init__(self, keys: Any, rows: int, tokens: int, stores_masks: bool) -> None:
        super().__init__(keys, rows, tokens)


def test_masks_that_are_not_stored_are_not_counted() -> None:
    stored, drawn = (
        trace_memory(
            lambda: make("bert"), batch(), batch(READ), CLASSIFICATION, "fp32", stores_masks=stores
        ).step
        for stores in (True, False)
    )
    # After embeddings and pooling, and in each of two layers twice beside attention's.
    hidden = 5 * ROWS * TOKENS * 32 + ROWS * 32
    attention = 2 * ROWS * 2 * TOKENS * TOKENS
    assert stored - drawn == pytest.approx(4 * (hidden + attention), abs=64)


def test_weights_are_not_counted_and_views_of_one_tensor_once() -> None:
    layer = torch.nn.Linear(8, 8)
    counted = SavedTensors(layer)
    x = torch.ones(4, 8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(counted.count_tensor, lambda tensor: tensor):
        y = layer(x)
        (y[:2] * y[2:]).sum()
    assert counted.bytes == 2 * 4 * 8 * 4  # x, and y


def test_it_draws_and_computes_nothing() -> None:
    before = torch.get_rng_state()
    trace_memory(lambda: make("bert"), batch(), batch(READ), CLASSIFICATION, "fp32")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_that_has_to_see_numbers_is_an_error_that_can_be_caught() -> None:
    class Odd(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
            return torch.unique(input_ids)

    with pytest.raises(RuntimeError):
        trace_memory(Odd, batch(), batch(READ), CLASSIFICATION, "fp32")
