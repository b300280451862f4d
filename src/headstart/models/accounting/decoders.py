"""What causal families with plain feed-forward layers are made of, as formulas; others are not here."""

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


def _specify_fused_block(
    names: tuple[str, str, str, str],
    norms: tuple[str, str],
    *,
    prefix: str = "h.*.",
    has_attention_bias: bool = True,
) -> SectionSpec:
    """A block whose query, key and value are one layer, with biases."""
    parts = ("query, key, value", "output", "feed-forward in", "feed-forward out")
    attention = (("3·D²", "3·D"), ("D²", "D")) if has_attention_bias else (("3·D²", ""), ("D²", ""))
    sizes = (*attention, ("D·F", "F"), ("D·F", "D"))
    layers = (
        LayerSpec(part, f"{prefix}{name}", *size)
        for part, name, size in zip(parts, names, sizes, strict=True)
    )
    return SectionSpec("block", (*layers, *(NormSpec(f"{prefix}{norm}") for norm in norms)), "L")


def _specify_gpt2(config: Any, head: Head) -> Iterator[SectionSpec]:
    """Radford et al. 2019."""
    tables = (LayerSpec("token embedding", "wte", "V·D"), LayerSpec("position embedding", "wpe", "P·D"))
    yield SectionSpec("embeddings", tables)
    yield _specify_fused_block(("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"), ("ln_1", "ln_2"))
    yield SectionSpec("body", (NormSpec("ln_f"),))
    yield from specify_causal_head(config, head)


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
    yield from specify_causal_head(config, head)


def _read_bloom_symbols(config: Any) -> dict[str, int]:
    return {"F": 4 * config.hidden_size}


def _specify_gpt_neox(config: Any, head: Head) -> Iterator[SectionSpec]:
    """Black et al. 2022 (GPT-NeoX-20B) and Pythia: rotary positions, attention beside the other layers."""
    yield SectionSpec("embeddings", (LayerSpec("token embedding", "embed_in", "V·D"),))
    attention = ("attention.query_key_value", "attention.dense")
    yield _specify_fused_block(
        (*attention, "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        ("input_layernorm", "post_attention_layernorm"),
        prefix="layers.*.",
        has_attention_bias=bool(config.attention_bias),
    )
    yield SectionSpec("body", (NormSpec("final_layer_norm"),))
    yield from specify_causal_head(config, head)


def _specify_opt(config: Any, head: Head) -> Iterator[SectionSpec]:
    """Zhang et al. 2022: two positions more than there are tokens; OPT-350m's embeddings are narrower than it
    is, and it has its norms behind the layers, so none at the end."""
    tables = (
        LayerSpec("token embedding", "decoder.embed_tokens", "V·E"),
        LayerSpec("position embedding", "decoder.embed_positions", "P·D + 2·D"),
    )
    yield SectionSpec("embeddings", tables)
    yield _specify_opt_block(config)
    has_last_norm = config.do_layer_norm_before and not config._remove_final_layer_norm
    last_norm = _specify_opt_norms(config, "decoder.final_layer_norm") if has_last_norm else ()
    body: tuple[LayerSpec | NormSpec, ...] = (*_specify_opt_projections(config), *last_norm)
    if body:
        yield SectionSpec("body", body)
    yield from specify_causal_head(config, head, width="E")


def _specify_opt_block(config: Any) -> SectionSpec:
    prefix, is_biased = "decoder.layers.*.", bool(config.enable_bias)
    layers = (
        LayerSpec(part, f"{prefix}{name}", weight, bias if is_biased else "")
        for part, name, weight, bias in (
            *((part, f"self_attn.{part[0]}_proj", "D²", "D") for part in ("query", "key", "value")),
            ("output", "self_attn.out_proj", "D²", "D"),
            ("feed-forward in", "fc1", "D·F", "F"),
            ("feed-forward out", "fc2", "D·F", "D"),
        )
    )
    names = (f"{prefix}{name}" for name in ("self_attn_layer_norm", "final_layer_norm"))
    return SectionSpec("block", (*layers, *_specify_opt_norms(config, *names)), "L")


def _specify_opt_norms(config: Any, *modules: str) -> tuple[NormSpec, ...]:
    return tuple(map(NormSpec, modules)) if config.layer_norm_elementwise_affine else ()


def _specify_opt_projections(config: Any) -> tuple[LayerSpec, ...]:
    """Between embeddings and layers, where they differ in width."""
    if config.word_embed_proj_dim == config.hidden_size:
        return ()
    return tuple(LayerSpec(f"projection {way}", f"decoder.project_{way}", "E·D") for way in ("in", "out"))


def _read_opt_symbols(config: Any) -> dict[str, int]:
    return {"E": config.word_embed_proj_dim, "F": config.ffn_dim}


#: By `model_type`.
DECODERS: dict[str, Family] = {
    "bloom": Family(_specify_bloom, _read_bloom_symbols),
    "gpt2": Family(_specify_gpt2, _read_gpt2_symbols),
    "gpt_neox": Family(_specify_gpt_neox),
    "opt": Family(_specify_opt, _read_opt_symbols),
}
