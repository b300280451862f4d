"""Turns a transformers RoBERTa into fairseq's weights and settings, by the names that fairseq 0.12 writes."""

from __future__ import annotations

from argparse import Namespace
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch

from headstart.errors import ModelError
from headstart.models.fairseq.architecture import ACTIVATIONS, EPSILON
from headstart.models.fairseq.names import LAYOUTS, name_body

#: The name of the head for classification, fairseq's default in `sentence_prediction`.
HEAD: Final = "sentence_classification_head"
#: Of the encoder: a norm stands behind the last of pre-norm layers.
_VERSION: Final = 3.0
_LAYER_PARTS: Final = (
    *(f"self_attn.{part}_proj" for part in ("k", "v", "q", "out")),
    *("self_attn_layer_norm", "fc1", "fc2", "final_layer_norm"),
)
#: Other formulas of transformers that compute what fairseq's do.
_SAME: Final = {"gelu_pytorch_tanh": "gelu_accurate", "gelu_new": "gelu_accurate"}


def check_exportable(config: Any, where: str) -> None:
    """See that fairseq's RoBERTa computes what a configuration says.

    Raises:
        ModelError: it does not; names what differs.
    """
    if config.model_type not in LAYOUTS:
        raise ModelError(
            f"a {config.model_type}: fairseq's RoBERTa is no such model",
            where=where,
            expected=f"one of {', '.join(LAYOUTS)}",
        )
    refused = (
        (
            config.layer_norm_eps != EPSILON,
            f"layer_norm_eps {config.layer_norm_eps:g}; fairseq has {EPSILON:g}",
        ),
        (_name_activation(config) is None, f"the activation {config.hidden_act}, which fairseq has not"),
        (config.is_decoder or config.add_cross_attention, "a decoder"),
        (config.pad_token_id != 1, f"pad_token_id {config.pad_token_id}; fairseq has 1"),
    )
    for is_so, what in refused:
        if is_so:
            raise ModelError(f"its configuration has {what}", where=where, expected="fairseq's RoBERTa")


def _name_activation(config: Any) -> str | None:
    names = {new: old for old, new in ACTIVATIONS.items()} | _SAME
    return names.get(str(config.hidden_act))


def make_state(
    config: Any, weights: Mapping[str, torch.Tensor], where: str
) -> tuple[OrderedDict[str, torch.Tensor], tuple[str, ...]]:
    """The weights by fairseq's names, in its order, and notes on what fairseq has in another way.

    Raises:
        ModelError: the model has weights that fairseq's RoBERTa has not.
    """
    prefix = LAYOUTS[config.model_type].prefix
    if not any(name.startswith(prefix) for name in weights):  # a body alone
        prefix = ""
    places = dict(_name_weights(config, prefix))
    state = OrderedDict({"encoder.sentence_encoder.version": torch.tensor([_VERSION])})
    state |= {new: weights[old].detach().clone() for new, old in places.items() if old in weights}
    notes = [*_fold_types(state, weights, prefix), *_add_lm_head(state, config)]
    types = f"{prefix}embeddings.token_type_embeddings.weight"
    used = {*places.values(), types, "lm_head.bias"}
    if unknown := sorted(name for name in weights if name not in used and "pooler" not in name):
        raise ModelError(f"{unknown[0]} has no place in fairseq's RoBERTa", where=where)
    return state, tuple(notes)


def _name_weights(config: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """fairseq's names in its order, each with that of transformers; `prefix` is before those of the body."""
    layers = (f"layers.{i}.{part}" for i in range(config.num_hidden_layers) for part in _LAYER_PARTS)
    stems = ("embed_tokens", "embed_positions", "layernorm_embedding", *layers, "layer_norm")
    for stem in stems:
        for kind in ("weight", "bias"):
            new = name_body(f"{stem}.{kind}", LAYOUTS[config.model_type])
            if new is not None and not (stem.startswith("embed_") and kind == "bias"):
                yield f"encoder.sentence_encoder.{stem}.{kind}", f"{prefix}{new}"
    yield "encoder.lm_head.weight", "lm_head.decoder.weight"
    yield "encoder.lm_head.bias", "lm_head.decoder.bias"
    for name in ("dense.weight", "dense.bias", "layer_norm.weight", "layer_norm.bias"):
        yield f"encoder.lm_head.{name}", f"lm_head.{name}"
    for name in ("dense.weight", "dense.bias", "out_proj.weight", "out_proj.bias"):
        yield f"classification_heads.{HEAD}.{name}", f"classifier.{name}"


def _fold_types(
    state: OrderedDict[str, torch.Tensor], weights: Mapping[str, torch.Tensor], prefix: str
) -> Iterator[str]:
    """Add the token type that every token has to each position: fairseq has none."""
    types = weights[f"{prefix}embeddings.token_type_embeddings.weight"]
    if types[0].any():
        state["encoder.sentence_encoder.embed_positions.weight"] += types[0]
        yield "its token type was added to the positions: fairseq has no token types"


def _add_lm_head(state: OrderedDict[str, torch.Tensor], config: Any) -> Iterator[str]:
    """The head that each of fairseq's RoBERTa models has, of zeros where this one has none."""
    embedding = state["encoder.sentence_encoder.embed_tokens.weight"]
    rows, width = embedding.shape
    if "encoder.lm_head.bias" in state:
        state.setdefault("encoder.lm_head.weight", embedding.clone())
        return
    empty = {
        "weight": embedding.clone(),
        "bias": torch.zeros(rows),
        "dense.weight": torch.zeros(width, width),
        "dense.bias": torch.zeros(width),
        "layer_norm.weight": torch.ones(width),
        "layer_norm.bias": torch.zeros(width),
    }
    for name, value in empty.items():
        state[f"encoder.lm_head.{name}"] = value
    yield "it has no lm_head, which fairseq's RoBERTa always has: one of zeros was written"


def make_arguments(config: Any, *, labels: int | None) -> Namespace:
    """The `args` of a checkpoint, as `fairseq-train` leaves them; `labels` of a classifier, else None."""
    layout = LAYOUTS[config.model_type]
    is_prenorm = layout.final_norm is not None
    task = "masked_lm" if labels is None else "sentence_prediction"
    positions = config.max_position_embeddings - config.pad_token_id - 1
    dropout = getattr(config, "classifier_dropout", None)
    of_task = (
        {"tokens_per_sample": positions}
        if labels is None
        else {
            "num_classes": labels,
            "regression_target": labels == 1,
            "classification_head_name": HEAD,
            "init_token": 0,
            "separator_token": 2,
        }
    )
    return Namespace(
        arch="roberta_prenorm" if is_prenorm else "roberta",
        task=task,
        criterion=task,
        data="",
        encoder_layers=config.num_hidden_layers,
        encoder_embed_dim=config.hidden_size,
        encoder_ffn_embed_dim=config.intermediate_size,
        encoder_attention_heads=config.num_attention_heads,
        max_positions=positions,
        max_source_positions=positions,
        activation_fn=_name_activation(config),
        pooler_activation_fn="tanh",
        dropout=config.hidden_dropout_prob,
        attention_dropout=config.attention_probs_dropout_prob,
        activation_dropout=0.0,
        pooler_dropout=config.hidden_dropout_prob if dropout is None else dropout,
        encoder_normalize_before=is_prenorm,
        layernorm_embedding=layout.embedding_norm,
        encoder_learned_pos=True,
        no_token_positional_embeddings=False,
        no_scale_embedding=True,
        untie_weights_roberta=not config.tie_word_embeddings,
        adaptive_input=False,
        encoder_layerdrop=0.0,
        encoder_layers_to_keep=None,
        quant_noise_pq=0.0,
        quant_noise_pq_block_size=8,
        quant_noise_scalar=0.0,
        spectral_norm_classification_head=False,
        shorten_method="truncate",
        **of_task,
    )
