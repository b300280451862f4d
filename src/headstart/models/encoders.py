"""What the models of encoder families are made of, as formulas; a family that is not here has none.

Written from the papers and the library's configurations, not from its modules: `count` holds the two
against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headstart.models.anatomy import Family, Head, Layer, Norm, Section, decoder


def _types(config: Any, width: str) -> list[Layer]:
    """The table of token types. One row is added to every token alike: such a table is a bias."""
    if not getattr(config, "type_vocab_size", 0):
        return []
    module = "embeddings.token_type_embeddings"
    if config.type_vocab_size == 1:
        return [Layer("token-type embedding", module, bias=width, is_bias_table=True)]
    return [Layer("token-type embedding", module, f"S·{width}")]


def _embeddings(config: Any, width: str = "D", *, positions: bool = True) -> Section:
    """Tables of tokens, positions and token types, and their norm, as BERT has them."""
    table = [Layer("position embedding", "embeddings.position_embeddings", f"P·{width}")] if positions else []
    return Section(
        "embeddings",
        (
            Layer("token embedding", "embeddings.word_embeddings", f"V·{width}"),
            *table,
            *_types(config, width),
            Norm("embeddings.LayerNorm", width),
        ),
    )


def _block(names: tuple[str, ...], norms: tuple[str, ...], prefix: str, times: str = "L") -> Section:
    """The encoder block of Vaswani et al. 2017, section 3.1: four D x D layers, and D x F twice."""
    parts = ("query", "key", "value", "output", "feed-forward in", "feed-forward out")
    sizes = (("D²", "D"),) * 4 + (("D·F", "F"), ("D·F", "D"))
    layers = (
        Layer(part, f"{prefix}{name}", *size) for part, name, size in zip(parts, names, sizes, strict=True)
    )
    return Section("block", (*layers, *(Norm(f"{prefix}{norm}") for norm in norms)), times)


_BERT_FEED_FORWARD = ("intermediate.dense", "output.dense")
_BERT_BLOCK = (
    *("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    *_BERT_FEED_FORWARD,
)
_BERT_NORMS = ("attention.output.LayerNorm", "output.LayerNorm")
_ENCODER = "encoder.layer.*."


def _square(part: str, module: str) -> Layer:
    return Layer(part, module, "D²", "D")


def _biased_decoder(config: Any, module: str, width: str = "D") -> tuple[Layer, Layer]:
    """A decoder below `module`, which has its biases; untied, the decoder has some of its own besides."""
    own = "" if config.tie_word_embeddings else "V"
    return decoder(config, f"{module}.decoder", width, own), Layer("decoder", module, bias="V")


def _bert_head(config: Any, head: Head) -> Iterator[Section]:
    if head in ("masked-lm", "causal-lm"):
        yield Section(
            "lm-head",
            (
                _square("transform", "cls.predictions.transform.dense"),
                Norm("cls.predictions.transform.LayerNorm"),
                *_biased_decoder(config, "cls.predictions"),
            ),
        )
    if head == "classification":
        yield Section("head", (Layer("classifier", "classifier", "D·C", "C"),))


def _roberta_head(config: Any, head: Head) -> Iterator[Section]:
    if head in ("masked-lm", "causal-lm"):
        yield Section(
            "lm-head",
            (
                _square("transform", "lm_head.dense"),
                Norm("lm_head.layer_norm"),
                *_biased_decoder(config, "lm_head"),
            ),
        )
    if head == "classification":
        yield _two_layer_head()


def _two_layer_head() -> Section:
    return Section(
        "head",
        (_square("dense", "classifier.dense"), Layer("classifier", "classifier.out_proj", "D·C", "C")),
    )


def _bert(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    yield _embeddings(config)
    yield _block(_BERT_BLOCK, _BERT_NORMS, _ENCODER)
    if head in ("none", "classification"):
        yield Section("pooler", (_square("pooler", "pooler.dense"),))
    yield from _bert_head(config, head)


def _roberta(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    yield _embeddings(config)
    yield _block(_BERT_BLOCK, _BERT_NORMS, _ENCODER)
    if head == "none":
        yield Section("pooler", (_square("pooler", "pooler.dense"),))
    yield from _roberta_head(config, head)


def _distilbert(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    yield _embeddings(config)
    attention = ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin")
    yield _block(
        (*attention, "ffn.lin1", "ffn.lin2"), ("sa_layer_norm", "output_layer_norm"), "transformer.layer.*."
    )
    if head == "masked-lm":
        yield Section(
            "lm-head",
            (
                _square("transform", "vocab_transform"),
                Norm("vocab_layer_norm"),
                decoder(config, "vocab_projector", bias="V"),
            ),
        )
    if head == "classification":
        yield Section(
            "head", (_square("dense", "pre_classifier"), Layer("classifier", "classifier", "D·C", "C"))
        )


def _electra(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    yield _embeddings(config, "E")
    if symbols["E"] != symbols["D"]:
        yield Section("embeddings", (Layer("projection", "embeddings_project", "E·D", "D"),))
    yield _block(_BERT_BLOCK, _BERT_NORMS, _ENCODER)
    if head in ("masked-lm", "causal-lm"):
        yield Section(
            "lm-head",
            (
                Layer("transform", "generator_predictions.dense", "D·E", "E"),
                Norm("generator_predictions.LayerNorm", "E"),
                decoder(config, "generator_lm_head", "E", "V"),
            ),
        )
    if head == "classification":
        yield _two_layer_head()


def _albert(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    """Lan et al. 2019: narrow embeddings, and layers that share their weights in groups."""
    symbols["G"] = config.num_hidden_groups * config.inner_group_num
    yield _embeddings(config, "E")
    yield Section("embeddings", (Layer("projection", "encoder.embedding_hidden_mapping_in", "E·D", "D"),))
    attention = ("attention.query", "attention.key", "attention.value", "attention.dense")
    prefix = "encoder.albert_layer_groups.*.albert_layers.*."
    norms = ("attention.LayerNorm", "full_layer_layer_norm")
    yield _block((*attention, "ffn", "ffn_output"), norms, prefix, "G")
    if head in ("none", "classification"):
        yield Section("pooler", (_square("pooler", "pooler"),))
    if head == "masked-lm":
        yield Section(
            "lm-head",
            (
                Layer("transform", "predictions.dense", "D·E", "E"),
                Norm("predictions.LayerNorm", "E"),
                *_biased_decoder(config, "predictions", "E"),
            ),
        )
    if head == "classification":
        yield Section("head", (Layer("classifier", "classifier", "D·C", "C"),))


def _deberta(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    """He et al. 2021: relative positions in attention, with keys and queries of their own unless shared."""
    symbols["B"] = 2 * _deberta_span(config)
    yield _embeddings(config, "E", positions=config.position_biased_input)
    if symbols["E"] != symbols["D"]:
        yield Section("embeddings", (Layer("projection", "embeddings.embed_proj", "E·D"),))
    names = ("attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj")
    yield _block((*names, "attention.output.dense", *_BERT_FEED_FORWARD), _BERT_NORMS, _ENCODER)
    if config.relative_attention:
        yield from _deberta_relative(config)
    if getattr(config, "conv_kernel_size", 0):
        symbols["N"] = config.conv_kernel_size
        convolution = Layer("convolution", "encoder.conv.conv", "N·D²", "D")
        yield Section("body", (convolution, Norm("encoder.conv.LayerNorm")))
    if head == "classification":
        yield Section("pooler", (_square("pooler", "pooler.dense"),))
    yield from _bert_head(config, head)


def _deberta_span(config: Any) -> int:
    """Relative positions on each side: buckets, or without these the longest distance."""
    asked = (getattr(config, "position_buckets", 0), getattr(config, "max_relative_positions", 0))
    return int(next((span for span in asked if span > 0), config.max_position_embeddings))


def _deberta_relative(config: Any) -> Iterator[Section]:
    if not getattr(config, "share_att_key", False):
        kinds = [k for k, name in (("key", "c2p"), ("query", "p2c")) if name in config.pos_att_type]
        own = (_square(f"position {k}", f"{_ENCODER}attention.self.pos_{k}_proj") for k in kinds)
        yield Section("block", tuple(own), "L")
    norm = (Norm("encoder.LayerNorm"),) if "layer_norm" in getattr(config, "norm_rel_ebd", "none") else ()
    yield Section("embeddings", (Layer("relative positions", "encoder.rel_embeddings", "B·D"), *norm))


def _modernbert(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    """Warner et al. 2024: no biases, gated feed-forward layers, and no first norm in the first layer."""
    shift = bool(config.norm_bias)
    attention, mlp = (
        ("3·D", "D") if config.attention_bias else ("", ""),
        ("2·F", "D") if config.mlp_bias else ("", ""),
    )
    table = Layer("token embedding", "embeddings.tok_embeddings", "V·D")
    yield Section("embeddings", (table, Norm("embeddings.norm", shift=shift)))
    block = (
        Layer("query, key, value", "layers.*.attn.Wqkv", "3·D²", attention[0]),
        Layer("output", "layers.*.attn.Wo", "D²", attention[1]),
        Layer("feed-forward in, gate", "layers.*.mlp.Wi", "2·D·F", mlp[0]),
        Layer("feed-forward out", "layers.*.mlp.Wo", "D·F", mlp[1]),
        Norm("layers.*.mlp_norm", shift=shift),
    )
    yield Section("block", block, "L")
    yield Section("block", (Norm("layers.*.attn_norm", shift=shift),), "M")
    yield Section("body", (Norm("final_norm", shift=shift),))
    dense = Layer("transform", "head.dense", "D²", "D" if config.classifier_bias else "")
    if head == "masked-lm":
        last = decoder(config, "decoder", bias="V" if config.decoder_bias else "")
        yield Section("lm-head", (dense, Norm("head.norm", shift=shift), last))
    if head == "classification":
        classifier = Layer("classifier", "classifier", "D·C", "C")
        yield Section("head", (dense, Norm("head.norm", shift=shift), classifier))


def _mpnet(config: Any, head: Head, symbols: dict[str, int]) -> Iterator[Section]:
    """Song et al. 2020: BERT with a table of relative positions for all layers."""
    symbols["B"] = config.relative_attention_num_buckets
    yield _embeddings(config)
    attention = tuple(f"attention.attn.{name}" for name in "qkvo")
    norms = ("attention.LayerNorm", "output.LayerNorm")
    yield _block((*attention, *_BERT_FEED_FORWARD), norms, _ENCODER)
    yield Section("embeddings", (Layer("relative positions", "encoder.relative_attention_bias", "B·H"),))
    if head == "none":
        yield Section("pooler", (_square("pooler", "pooler.dense"),))
    yield from _roberta_head(config, head)


#: By `model_type`.
ENCODERS: dict[str, Family] = {
    "albert": _albert,
    "bert": _bert,
    "camembert": _roberta,
    "deberta-v2": _deberta,
    "distilbert": _distilbert,
    "electra": _electra,
    "modernbert": _modernbert,
    "mpnet": _mpnet,
    "roberta": _roberta,
    "xlm-roberta": _roberta,
}
