"""Masks of whole blocks are left out while a compiler traces, and only where they hide nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    GPT2Config,
    ModernBertConfig,
    RobertaConfig,
)

from headstart.pretraining.block_masks import restore_masks, skip_empty_masks

_SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_ATTENTION = "scaled_dot_product_attention"


def _make_roberta() -> Any:
    return AutoModelForMaskedLM.from_config(RobertaConfig(**_SIZES, intermediate_size=16)).eval()


def _make_modern_bert() -> Any:
    sizes = {
        **_SIZES,
        "intermediate_size": 16,
        "local_attention": 4,
        "global_attn_every_n_layers": 2,
        "pad_token_id": 1,
    }
    return AutoModelForMaskedLM.from_config(ModernBertConfig(**sizes, attn_implementation="sdpa")).eval()


def _make_gpt2() -> Any:
    return AutoModelForCausalLM.from_config(GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2)).eval()


def _trace_masks(model: Any, ids: torch.Tensor) -> list[bool]:
    """Of each attention that a compiler sees, whether it has a mask."""
    found: list[bool] = []

    def look(graph: Any, _: Any) -> Any:
        calls = [node for node in graph.graph.nodes if _ATTENTION in str(node.target)]
        found.extend(node.kwargs.get("attn_mask") is not None for node in calls)
        return graph.forward

    torch.compile(lambda given: model(input_ids=given).logits, fullgraph=True, backend=look)(ids)
    torch.compiler.reset()
    return found


@pytest.mark.parametrize("make", [_make_roberta, _make_gpt2])
def test_a_compiler_sees_no_mask_of_whole_blocks(make: Any) -> None:
    model = make()
    skip_empty_masks(model)
    assert _trace_masks(model, torch.randint(5, 40, (2, 8))) == [False, False]


def test_masks_of_local_attention_stay() -> None:
    model, ids = _make_modern_bert(), torch.randint(5, 40, (2, 12))
    expected = model(input_ids=ids).logits
    skip_empty_masks(model)
    assert sorted(_trace_masks(model, ids)) == [False, True]
    torch.testing.assert_close(model(input_ids=ids).logits, expected)


@pytest.mark.parametrize("make", [_make_roberta, _make_modern_bert, _make_gpt2])
@pytest.mark.parametrize("padded", [False, True])
def test_logits_are_the_same(make: Any, padded: bool) -> None:
    model, ids = make(), torch.randint(5, 40, (2, 12))
    mask = torch.ones_like(ids)
    mask[0, 9:] = 0 if padded else 1
    expected = model(input_ids=ids, attention_mask=mask).logits
    skip_empty_masks(model)
    torch.testing.assert_close(model(input_ids=ids, attention_mask=mask).logits, expected)
    restore_masks(model)
    assert model.config._attn_implementation == "sdpa"
