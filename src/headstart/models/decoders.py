"""What the models of causal families are made of, as formulas; a family that is not here has none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headstart.models.anatomy import Family, Head, Layer, Norm, Section, decoder


def _causal_head(config: Any, head: Head) -> Iterator[Section]:
    """The heads of causal families, which have no biases."""
    if head == "causal-lm":
        yield Section("lm-head", (decoder(config, "lm_head"),))
    if head == "classification":
        yield Section("head", (Layer("classifier", "score", "D·C"),))


def _fused_block(names: tuple[str, str, str, str], norms: tuple[str, str]) -> Section:
    """A block whose query, key and value are one layer, with biases everywhere."""
    parts = ("query, key, value", "output", "feed-forward in", "feed-forward out")
    sizes = (("3·D²", "3·D"), ("D²", "D"), ("D·F", "F"), ("D·F", "D"))
    layers = (Layer(part, f"h.*.{n}", *size) for part, n, size in zip(parts, names, sizes, strict=True))
    return Section("block", (*layers, *(Norm(f"h.*.{norm}") for norm in norms)), "L")


def _gpt2(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    """Radford et al. 2019."""
    symbols["F"] = config.n_inner or 4 * symbols["D"]
    tables = (Layer("token embedding", "wte", "V·D"), Layer("position embedding", "wpe", "P·D"))
    yield Section("embeddings", tables)
    yield _fused_block(("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"), ("ln_1", "ln_2"))
    yield Section("body", (Norm("ln_f"),))
    yield from _causal_head(config, head)


def _bloom(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    """BigScience 2022: ALiBi in place of a position table, a norm after the embedding, F = 4 D."""
    symbols["F"] = 4 * symbols["D"]
    table = Layer("token embedding", "word_embeddings", "V·D")
    yield Section("embeddings", (table, Norm("word_embeddings_layernorm")))
    attention = ("self_attention.query_key_value", "self_attention.dense")
    yield _fused_block(
        (*attention, "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        ("input_layernorm", "post_attention_layernorm"),
    )
    yield Section("body", (Norm("ln_f"),))
    yield from _causal_head(config, head)


def _llama(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    """Touvron et al. 2023 and kin: rotary positions, RMSNorm, gated feed-forward, keys shared by heads."""
    biased, output = _llama_biases(config)
    table = Layer("token embedding", "embed_tokens", "V·D")
    yield Section("embeddings", (table,))
    attention = "layers.*.self_attn."
    yield Section(
        "block",
        (
            Layer("query", f"{attention}q_proj", "A·D", "A" if biased else ""),
            Layer("key", f"{attention}k_proj", "K·D", "K" if biased else ""),
            Layer("value", f"{attention}v_proj", "K·D", "K" if biased else ""),
            Layer("output", f"{attention}o_proj", "A·D", "D" if output else ""),
            *_gated(config),
            *(
                Norm(f"layers.*.{name}", shift=False)
                for name in ("input_layernorm", "post_attention_layernorm")
            ),
            *(Norm(f"{attention}{name}", "W", shift=False) for name in _head_norms(config)),
        ),
        "L",
    )
    yield Section("body", (Norm("norm", shift=False),))
    yield from _causal_head(config, head)


def _llama_biases(config: Any) -> tuple[bool, bool]:
    """Whether query, key and value have biases, and whether the output layer has: Qwen2's first three do."""
    asked = bool(getattr(config, "attention_bias", False))
    return asked or config.model_type == "qwen2", asked and config.model_type != "qwen2"


def _head_norms(config: Any) -> tuple[str, ...]:
    """Qwen3 norms each head's queries and keys."""
    return ("q_norm", "k_norm") if config.model_type == "qwen3" else ()


def _gated(config: Any) -> Iterator[Layer]:
    """The gated feed-forward layers of Shazeer 2020, "GLU variants improve Transformer"."""
    biased = bool(getattr(config, "mlp_bias", False))
    for part, name, bias in (("in", "up", "F"), ("gate", "gate", "F"), ("out", "down", "D")):
        yield Layer(f"feed-forward {part}", f"layers.*.mlp.{name}_proj", "D·F", bias if biased else "")


#: By `model_type`.
DECODERS: dict[str, Family] = {
    "bloom": _bloom,
    "gpt2": _gpt2,
    "llama": _llama,
    "qwen2": _llama,
    "qwen3": _llama,
}
