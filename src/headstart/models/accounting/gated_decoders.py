"""What causal families with gated feed-forward layers are made of, as formulas: Llama and its kin, Phi-3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headstart.models.accounting.heads import Head
from headstart.models.accounting.layers import (
    Family,
    LayerSpec,
    NormSpec,
    SectionSpec,
    specify_causal_head,
)


def _specify_llama(config: Any, head: Head) -> Iterator[SectionSpec]:
    """Touvron et al. 2023 and kin: rotary positions, RMSNorm, gated feed-forward, keys shared by heads.

    Such are Mistral 7B (Jiang et al. 2023), Qwen, SmolLM3, and Gemma, whose norms' scales are stored less 1.
    """
    yield SectionSpec("embeddings", (LayerSpec("token embedding", "embed_tokens", "V·D"),))
    attention, feed_forward = _specify_llama_attention(config), _specify_gated_layers(config)
    yield SectionSpec("block", (*attention, *feed_forward, *_specify_llama_norms(config)), "L")
    yield SectionSpec("body", (NormSpec("norm", has_shift=False),))
    yield from specify_causal_head(config, head)


def _specify_llama_attention(config: Any) -> Iterator[LayerSpec]:
    """Query, key, value and output. Qwen2 has biases in the first three, and Mistral in none, whatever their
    configurations say."""
    is_qwen2 = config.model_type == "qwen2"
    is_biased = bool(getattr(config, "attention_bias", False)) and config.model_type not in (
        "mistral",
        "qwen2",
    )
    for part, name, weight, bias in (
        ("query", "q", "A·D", "A" if is_biased or is_qwen2 else ""),
        ("key", "k", "K·D", "K" if is_biased or is_qwen2 else ""),
        ("value", "v", "K·D", "K" if is_biased or is_qwen2 else ""),
        ("output", "o", "A·D", "D" if is_biased else ""),
    ):
        yield LayerSpec(part, f"layers.*.self_attn.{name}_proj", weight, bias)


def _specify_gated_layers(config: Any) -> Iterator[LayerSpec]:
    """The gated feed-forward layers of Shazeer 2020, "GLU variants improve Transformer"."""
    is_biased = bool(getattr(config, "mlp_bias", False)) and config.model_type in ("llama", "smollm3")
    for part, name, bias in (("in", "up", "F"), ("gate", "gate", "F"), ("out", "down", "D")):
        module = f"layers.*.mlp.{name}_proj"
        yield LayerSpec(f"feed-forward {part}", module, "D·F", bias if is_biased else "")


def _specify_llama_norms(config: Any) -> Iterator[NormSpec]:
    """One before attention, one before the feed-forward layers; Gemma 2 and 3 (Gemma Team 2024, 2025) have
    them behind these too. Qwen3 and Gemma 3 norm queries and keys."""
    names = ("input_layernorm", "post_attention_layernorm")
    behind = ("pre_feedforward_layernorm", "post_feedforward_layernorm")
    for name in (*names, *(behind if config.model_type in ("gemma2", "gemma3_text") else ())):
        yield NormSpec(f"layers.*.{name}", has_shift=False)
    if config.model_type in ("qwen3", "gemma3_text"):
        for name in ("q_norm", "k_norm"):
            yield NormSpec(f"layers.*.self_attn.{name}", "W", has_shift=False)


def _specify_phi3(config: Any, head: Head) -> Iterator[SectionSpec]:
    """Abdin et al. 2024: Llama with query, key and value as one layer, and with gate and feed-forward in."""
    yield SectionSpec("embeddings", (LayerSpec("token embedding", "embed_tokens", "V·D"),))
    layers = (
        LayerSpec("query, key, value", "layers.*.self_attn.qkv_proj", "A·D + 2·K·D"),
        LayerSpec("output", "layers.*.self_attn.o_proj", "A·D"),
        LayerSpec("feed-forward in, gate", "layers.*.mlp.gate_up_proj", "2·D·F"),
        LayerSpec("feed-forward out", "layers.*.mlp.down_proj", "D·F"),
    )
    yield SectionSpec("block", (*layers, *_specify_llama_norms(config)), "L")
    yield SectionSpec("body", (NormSpec("norm", has_shift=False),))
    yield from specify_causal_head(config, head)


_LLAMA = Family(_specify_llama)
#: By `model_type`.
GATED_DECODERS: dict[str, Family] = {
    "gemma": _LLAMA,
    "gemma2": _LLAMA,
    "gemma3_text": _LLAMA,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "phi3": Family(_specify_phi3),
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "smollm3": _LLAMA,
}
