"""What the models of causal families are made of, as formulas; a family that is not here has none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headstart.models.accounting.heads import Head
from headstart.models.accounting.layers import Family, LayerSpec, NormSpec, SectionSpec, specify_decoder


def _specify_head(config: Any, head: Head) -> Iterator[SectionSpec]:
    """The heads of causal families, which have no biases."""
    if head is Head.CAUSAL_LM:
        yield SectionSpec("lm-head", (specify_decoder(config, "lm_head"),))
    if head is Head.CLASSIFICATION:
        yield SectionSpec("head", (LayerSpec("classifier", "score", "D·C"),))


def _specify_fused_block(names: tuple[str, str, str, str], norms: tuple[str, str]) -> SectionSpec:
    """A block whose query, key and value are one layer, with biases everywhere."""
    parts = ("query, key, value", "output", "feed-forward in", "feed-forward out")
    sizes = (("3·D²", "3·D"), ("D²", "D"), ("D·F", "F"), ("D·F", "D"))
    layers = (
        LayerSpec(part, f"h.*.{name}", *size) for part, name, size in zip(parts, names, sizes, strict=True)
    )
    return SectionSpec("block", (*layers, *(NormSpec(f"h.*.{norm}") for norm in norms)), "L")


def _specify_gpt2(config: Any, head: Head) -> Iterator[SectionSpec]:
    """Radford et al. 2019."""
    tables = (LayerSpec("token embedding", "wte", "V·D"), LayerSpec("position embedding", "wpe", "P·D"))
    yield SectionSpec("embeddings", tables)
    yield _specify_fused_block(("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"), ("ln_1", "ln_2"))
    yield SectionSpec("body", (NormSpec("ln_f"),))
    yield from _specify_head(config, head)


def _read_gpt2_symbols(config: Any) -> dict[str, int]:
    return {"F": config.n_inner or 4 * config.hidden_size}


def _specify_bloom(config: Any, head: Head) -> Iterator[SectionSpec]:
    """BigScience 2022: ALiBi in place of a position table, a norm after the embedding, F = 4 D."""
    table = LayerSpec("token embedding", "word_embeddings", "V·D")
    yield SectionSpec("embeddings", (table, NormSpec("word_embeddings_layernorm")))
    attention = ("self_attention.query_key_value", "self_attention.dense")
    yield _specify_fused_block(
        (*attention, "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        ("input_layernorm", "post_attention_layernorm"),
    )
    yield SectionSpec("body", (NormSpec("ln_f"),))
    yield from _specify_head(config, head)


def _read_bloom_symbols(config: Any) -> dict[str, int]:
    return {"F": 4 * config.hidden_size}


def _specify_llama(config: Any, head: Head) -> Iterator[SectionSpec]:
    """Touvron et al. 2023 and kin: rotary positions, RMSNorm, gated feed-forward, keys shared by heads."""
    yield SectionSpec("embeddings", (LayerSpec("token embedding", "embed_tokens", "V·D"),))
    attention, feed_forward = _specify_llama_attention(config), _specify_gated_layers(config)
    yield SectionSpec("block", (*attention, *feed_forward, *_specify_llama_norms(config)), "L")
    yield SectionSpec("body", (NormSpec("norm", has_shift=False),))
    yield from _specify_head(config, head)


def _specify_llama_attention(config: Any) -> Iterator[LayerSpec]:
    """Query, key, value and output. Qwen2 has biases in the first three whatever its configuration says."""
    is_biased = bool(getattr(config, "attention_bias", False))
    is_qwen2 = config.model_type == "qwen2"
    for part, name, weight, bias in (
        ("query", "q", "A·D", "A" if is_biased or is_qwen2 else ""),
        ("key", "k", "K·D", "K" if is_biased or is_qwen2 else ""),
        ("value", "v", "K·D", "K" if is_biased or is_qwen2 else ""),
        ("output", "o", "A·D", "D" if is_biased and not is_qwen2 else ""),
    ):
        yield LayerSpec(part, f"layers.*.self_attn.{name}_proj", weight, bias)


def _specify_gated_layers(config: Any) -> Iterator[LayerSpec]:
    """The gated feed-forward layers of Shazeer 2020, "GLU variants improve Transformer"."""
    is_biased = bool(getattr(config, "mlp_bias", False))
    for part, name, bias in (("in", "up", "F"), ("gate", "gate", "F"), ("out", "down", "D")):
        module = f"layers.*.mlp.{name}_proj"
        yield LayerSpec(f"feed-forward {part}", module, "D·F", bias if is_biased else "")


def _specify_llama_norms(config: Any) -> Iterator[NormSpec]:
    """One before attention, one before the feed-forward layers. Qwen3 norms queries and keys too."""
    for name in ("input_layernorm", "post_attention_layernorm"):
        yield NormSpec(f"layers.*.{name}", has_shift=False)
    if config.model_type == "qwen3":
        for name in ("q_norm", "k_norm"):
            yield NormSpec(f"layers.*.self_attn.{name}", "W", has_shift=False)


_LLAMA = Family(_specify_llama)
#: By `model_type`.
DECODERS: dict[str, Family] = {
    "bloom": Family(_specify_bloom, _read_bloom_symbols),
    "gpt2": Family(_specify_gpt2, _read_gpt2_symbols),
    "llama": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
}
