"""What the models of encoder families are made of, as formulas; a family that is not here has none.

Written from the papers and the library's configurations, not from its modules: `counts` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headstart.models.accounting.heads import Head
from headstart.models.accounting.layers import Family, LayerSpec, NormSpec, SectionSpec, specify_decoder

_BERT_FEED_FORWARD = ("intermediate.dense", "output.dense")
_BERT_BLOCK = (
    *("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    *_BERT_FEED_FORWARD,
)
_BERT_NORMS = ("attention.output.LayerNorm", "output.LayerNorm")
_ENCODER = "encoder.layer.*."


def _specify_embeddings(config: Any, width: str = "D", *, has_positions: bool = True) -> SectionSpec:
    """Tables of tokens, positions and token types, and their norm, as BERT has them."""
    positions = LayerSpec("position embedding", "embeddings.position_embeddings", f"P·{width}")
    return SectionSpec(
        "embeddings",
        (
            LayerSpec("token embedding", "embeddings.word_embeddings", f"V·{width}"),
            *([positions] if has_positions else []),
            *_specify_token_types(config, width),
            NormSpec("embeddings.LayerNorm", width),
        ),
    )


def _specify_token_types(config: Any, width: str) -> list[LayerSpec]:
    """The table of token types. One row is added to every token alike: such a table is a bias."""
    if not getattr(config, "type_vocab_size", 0):
        return []
    module = "embeddings.token_type_embeddings"
    if config.type_vocab_size == 1:
        return [LayerSpec("token-type embedding", module, bias=width, is_bias_table=True)]
    return [LayerSpec("token-type embedding", module, f"S·{width}")]


def _specify_block(
    names: tuple[str, ...], norms: tuple[str, ...], prefix: str, times: str = "L"
) -> SectionSpec:
    """The encoder block of Vaswani et al. 2017, section 3.1: four D x D layers, and D x F twice."""
    parts = ("query", "key", "value", "output", "feed-forward in", "feed-forward out")
    sizes = (("D²", "D"),) * 4 + (("D·F", "F"), ("D·F", "D"))
    layers = (
        LayerSpec(part, f"{prefix}{name}", *size)
        for part, name, size in zip(parts, names, sizes, strict=True)
    )
    return SectionSpec("block", (*layers, *(NormSpec(f"{prefix}{norm}") for norm in norms)), times)


def _specify_bert_block() -> SectionSpec:
    return _specify_block(_BERT_BLOCK, _BERT_NORMS, _ENCODER)


def _specify_square(part: str, module: str) -> LayerSpec:
    return LayerSpec(part, module, "D²", "D")


def _specify_pooler(module: str = "pooler.dense") -> SectionSpec:
    return SectionSpec("pooler", (_specify_square("pooler", module),))


def _specify_classifier() -> SectionSpec:
    return SectionSpec("head", (LayerSpec("classifier", "classifier", "D·C", "C"),))


def _specify_two_layer_classifier(
    dense: str = "classifier.dense", last: str = "classifier.out_proj"
) -> SectionSpec:
    return SectionSpec("head", (_specify_square("dense", dense), LayerSpec("classifier", last, "D·C", "C")))


def _specify_biased_decoder(config: Any, module: str, width: str = "D") -> tuple[LayerSpec, LayerSpec]:
    """A decoder below `module`, which has its biases; untied, the decoder has some of its own besides."""
    decoder_bias = "" if config.tie_word_embeddings else "V"
    decoder = specify_decoder(config, f"{module}.decoder", width, decoder_bias)
    return decoder, LayerSpec("decoder", module, bias="V")


def _specify_bert_head(config: Any, head: Head) -> Iterator[SectionSpec]:
    if head in (Head.MASKED_LM, Head.CAUSAL_LM):
        yield SectionSpec(
            "lm-head",
            (
                _specify_square("transform", "cls.predictions.transform.dense"),
                NormSpec("cls.predictions.transform.LayerNorm"),
                *_specify_biased_decoder(config, "cls.predictions"),
            ),
        )
    if head is Head.CLASSIFICATION:
        yield _specify_classifier()


def _specify_roberta_head(config: Any, head: Head) -> Iterator[SectionSpec]:
    if head in (Head.MASKED_LM, Head.CAUSAL_LM):
        yield SectionSpec(
            "lm-head",
            (
                _specify_square("transform", "lm_head.dense"),
                NormSpec("lm_head.layer_norm"),
                *_specify_biased_decoder(config, "lm_head"),
            ),
        )
    if head is Head.CLASSIFICATION:
        yield _specify_two_layer_classifier()


def _specify_bert(config: Any, head: Head) -> Iterator[SectionSpec]:
    yield _specify_embeddings(config)
    yield _specify_bert_block()
    if head in (Head.NONE, Head.CLASSIFICATION):
        yield _specify_pooler()
    yield from _specify_bert_head(config, head)


def _specify_roberta(config: Any, head: Head) -> Iterator[SectionSpec]:
    yield _specify_embeddings(config)
    yield _specify_bert_block()
    if head is Head.NONE:
        yield _specify_pooler()
    yield from _specify_roberta_head(config, head)


def _specify_distilbert(config: Any, head: Head) -> Iterator[SectionSpec]:
    yield _specify_embeddings(config)
    attention = ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin")
    norms = ("sa_layer_norm", "output_layer_norm")
    yield _specify_block((*attention, "ffn.lin1", "ffn.lin2"), norms, "transformer.layer.*.")
    if head is Head.MASKED_LM:
        yield SectionSpec(
            "lm-head",
            (
                _specify_square("transform", "vocab_transform"),
                NormSpec("vocab_layer_norm"),
                specify_decoder(config, "vocab_projector", bias="V"),
            ),
        )
    if head is Head.CLASSIFICATION:
        yield _specify_two_layer_classifier("pre_classifier", "classifier")


def _has_own_width(config: Any) -> bool:
    """Whether embeddings are of another width than the layers."""
    return bool((getattr(config, "embedding_size", None) or config.hidden_size) != config.hidden_size)


def _specify_electra(config: Any, head: Head) -> Iterator[SectionSpec]:
    yield _specify_embeddings(config, "E")
    if _has_own_width(config):
        yield SectionSpec("embeddings", (LayerSpec("projection", "embeddings_project", "E·D", "D"),))
    yield _specify_bert_block()
    if head in (Head.MASKED_LM, Head.CAUSAL_LM):
        yield SectionSpec(
            "lm-head",
            (
                LayerSpec("transform", "generator_predictions.dense", "D·E", "E"),
                NormSpec("generator_predictions.LayerNorm", "E"),
                specify_decoder(config, "generator_lm_head", "E", "V"),
            ),
        )
    if head is Head.CLASSIFICATION:
        yield _specify_two_layer_classifier()


def _specify_albert(config: Any, head: Head) -> Iterator[SectionSpec]:
    """Lan et al. 2019: narrow embeddings, and layers that share their weights in groups."""
    projection = LayerSpec("projection", "encoder.embedding_hidden_mapping_in", "E·D", "D")
    attention = ("attention.query", "attention.key", "attention.value", "attention.dense")
    prefix = "encoder.albert_layer_groups.*.albert_layers.*."
    norms = ("attention.LayerNorm", "full_layer_layer_norm")
    yield _specify_embeddings(config, "E")
    yield SectionSpec("embeddings", (projection,))
    yield _specify_block((*attention, "ffn", "ffn_output"), norms, prefix, "G")
    if head in (Head.NONE, Head.CLASSIFICATION):
        yield _specify_pooler("pooler")
    if head is Head.MASKED_LM:
        yield SectionSpec(
            "lm-head",
            (
                LayerSpec("transform", "predictions.dense", "D·E", "E"),
                NormSpec("predictions.LayerNorm", "E"),
                *_specify_biased_decoder(config, "predictions", "E"),
            ),
        )
    if head is Head.CLASSIFICATION:
        yield _specify_classifier()


def _read_albert_symbols(config: Any) -> dict[str, int]:
    return {"G": config.num_hidden_groups * config.inner_group_num}


def _specify_deberta(config: Any, head: Head) -> Iterator[SectionSpec]:
    """He et al. 2021: relative positions in attention, with keys and queries of their own unless shared."""
    names = ("attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj")
    yield _specify_embeddings(config, "E", has_positions=config.position_biased_input)
    if _has_own_width(config):
        yield SectionSpec("embeddings", (LayerSpec("projection", "embeddings.embed_proj", "E·D"),))
    yield _specify_block((*names, "attention.output.dense", *_BERT_FEED_FORWARD), _BERT_NORMS, _ENCODER)
    if config.relative_attention:
        yield from _specify_relative_positions(config)
    if getattr(config, "conv_kernel_size", 0):
        convolution = LayerSpec("convolution", "encoder.conv.conv", "N·D²", "D")
        yield SectionSpec("body", (convolution, NormSpec("encoder.conv.LayerNorm")))
    if head is Head.CLASSIFICATION:
        yield _specify_pooler()
    yield from _specify_bert_head(config, head)


def _read_deberta_symbols(config: Any) -> dict[str, int]:
    """Relative positions on both sides (buckets, or else all distances), and the convolution's width."""
    spans = (getattr(config, "position_buckets", 0), getattr(config, "max_relative_positions", 0))
    span = next((span for span in spans if span > 0), config.max_position_embeddings)
    return {"B": 2 * int(span), "N": getattr(config, "conv_kernel_size", 0)}


def _specify_relative_positions(config: Any) -> Iterator[SectionSpec]:
    if not getattr(config, "share_att_key", False):
        kinds = [k for k, name in (("key", "c2p"), ("query", "p2c")) if name in config.pos_att_type]
        layers = (_specify_square(f"position {k}", f"{_ENCODER}attention.self.pos_{k}_proj") for k in kinds)
        yield SectionSpec("block", tuple(layers), "L")
    has_norm = "layer_norm" in getattr(config, "norm_rel_ebd", "")
    norms = (NormSpec("encoder.LayerNorm"),) if has_norm else ()
    yield SectionSpec(
        "embeddings", (LayerSpec("relative positions", "encoder.rel_embeddings", "B·D"), *norms)
    )


def _specify_modernbert(config: Any, head: Head) -> Iterator[SectionSpec]:
    """Warner et al. 2024: no biases, gated feed-forward layers, and no first norm in the first layer."""
    has_shift = bool(config.norm_bias)
    table = LayerSpec("token embedding", "embeddings.tok_embeddings", "V·D")
    yield SectionSpec("embeddings", (table, NormSpec("embeddings.norm", has_shift=has_shift)))
    yield _specify_modernbert_block(config)
    yield SectionSpec("block", (NormSpec("layers.*.attn_norm", has_shift=has_shift),), "M")
    yield SectionSpec("body", (NormSpec("final_norm", has_shift=has_shift),))
    dense = LayerSpec("transform", "head.dense", "D²", "D" if config.classifier_bias else "")
    norm = NormSpec("head.norm", has_shift=has_shift)
    if head is Head.MASKED_LM:
        decoder = specify_decoder(config, "decoder", bias="V" if config.decoder_bias else "")
        yield SectionSpec("lm-head", (dense, norm, decoder))
    if head is Head.CLASSIFICATION:
        yield SectionSpec("head", (dense, norm, LayerSpec("classifier", "classifier", "D·C", "C")))


def _specify_modernbert_block(config: Any) -> SectionSpec:
    attention, mlp = bool(config.attention_bias), bool(config.mlp_bias)
    return SectionSpec(
        "block",
        (
            LayerSpec("query, key, value", "layers.*.attn.Wqkv", "3·D²", "3·D" if attention else ""),
            LayerSpec("output", "layers.*.attn.Wo", "D²", "D" if attention else ""),
            LayerSpec("feed-forward in, gate", "layers.*.mlp.Wi", "2·D·F", "2·F" if mlp else ""),
            LayerSpec("feed-forward out", "layers.*.mlp.Wo", "D·F", "D" if mlp else ""),
            NormSpec("layers.*.mlp_norm", has_shift=bool(config.norm_bias)),
        ),
        "L",
    )


def _specify_mpnet(config: Any, head: Head) -> Iterator[SectionSpec]:
    """Song et al. 2020: BERT with a table of relative positions for all layers."""
    attention = tuple(f"attention.attn.{name}" for name in "qkvo")
    norms = ("attention.LayerNorm", "output.LayerNorm")
    positions = LayerSpec("relative positions", "encoder.relative_attention_bias", "B·H")
    yield _specify_embeddings(config)
    yield _specify_block((*attention, *_BERT_FEED_FORWARD), norms, _ENCODER)
    yield SectionSpec("embeddings", (positions,))
    if head is Head.NONE:
        yield _specify_pooler()
    yield from _specify_roberta_head(config, head)


def _read_mpnet_symbols(config: Any) -> dict[str, int]:
    return {"B": config.relative_attention_num_buckets}


_ROBERTA = Family(_specify_roberta)
#: By `model_type`.
ENCODERS: dict[str, Family] = {
    "albert": Family(_specify_albert, _read_albert_symbols),
    "bert": Family(_specify_bert),
    "camembert": _ROBERTA,
    "deberta-v2": Family(_specify_deberta, _read_deberta_symbols),
    "distilbert": Family(_specify_distilbert),
    "electra": Family(_specify_electra),
    "modernbert": Family(_specify_modernbert),
    "mpnet": Family(_specify_mpnet, _read_mpnet_symbols),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
}
