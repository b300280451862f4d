"""Attention masks of whole blocks: none, so that torch takes its fused kernel where a compiler traces too.

transformers leaves out a mask that hides nothing by looking at it, which versions before 5.18 do not do while
a compiler traces them: attention over blocks without padding then became products in float32, 38 of a step's
61 ms (roberta-small, 512 blocks of 256 tokens, one H200).
"""

from __future__ import annotations

from typing import Any, Final

from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

#: The name by which transformers knows torch's attention with these masks.
_NAME: Final = "headstart_blocks"


def skip_empty_masks(model: Any) -> None:
    """Have a model of transformers with torch's attention make no mask that hides nothing."""
    if model.config._attn_implementation != "sdpa":
        return
    AttentionInterface.register(_NAME, sdpa_attention_forward)
    AttentionMaskInterface.register(_NAME, _make_mask)
    model.set_attn_implementation(_NAME)


def restore_masks(model: Any) -> None:
    """Undo `skip_empty_masks`, for whoever saves or uses the model."""
    if model.config._attn_implementation == _NAME:
        model.set_attn_implementation("sdpa")


def _make_mask(*arguments: Any, **given: Any) -> Any:
    """As transformers' own, told what it need not look for."""
    return None if not arguments and _hides_nothing(given) else sdpa_mask(*arguments, **given)


def _hides_nothing(given: dict[str, Any]) -> bool:
    """Whether a mask is at most the causal one of a whole sequence, which torch makes by itself."""
    size, queries, keys = given.get("local_size"), given.get("q_length"), given.get("kv_length")
    if given.get("attention_mask") is not None or queries is None or queries != keys:
        return False
    may_skip = given.get("allow_is_causal_skip", True) or given.get("allow_is_bidirectional_skip", False)
    return may_skip and (size is None or keys < size)
