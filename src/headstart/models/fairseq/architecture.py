"""Chooses the family of transformers that computes what a fairseq checkpoint does; names what none does."""

from __future__ import annotations

from typing import Any, Final

from transformers import AutoConfig

from headstart.data.fairseq.dictionary import Dictionary
from headstart.errors import ModelError
from headstart.models.fairseq.keys import FairseqKeys, make_refusal
from headstart.models.fairseq.settings import FairseqSettings
from headstart.models.fairseq.sizes import Sizes

#: fairseq's activations (`utils.get_activation_fn`) by those of transformers with the same formula.
ACTIVATIONS: Final = {
    "gelu": "gelu",
    "gelu_accurate": "gelu_new",  # by tanh; `gelu_fast` was its name before
    "gelu_fast": "gelu_new",
    "relu": "relu",
    "relu_squared": "relu2",
    "tanh": "tanh",
    "linear": "linear",
}
#: What may be asked for. GottBERT is a RoBERTa with a vocabulary of its own.
FAMILIES: Final = {
    "roberta": "roberta",
    "camembert": "camembert",
    "xlm-roberta": "xlm-roberta",
    "gottbert": "roberta",
}
#: Of fairseq's LayerNorm; transformers' own default is 1e-12.
EPSILON: Final = 1e-5
#: Of fairseq's `init_bert_params`.
_SPREAD: Final = 0.02
#: A version below says that no norm stands behind the last layer.
_NORM_VERSION: Final = 2


def choose_family(settings: FairseqSettings, dictionary: Dictionary, family: str | None, where: str) -> str:
    """The `model_type` of transformers: by where norms stand, then by `family`, else by what can be seen.

    Raises:
        ModelError: a family that is unknown, or that computes something else.
    """
    if family is not None and family not in FAMILIES:
        raise ModelError(
            f"{ascii(family)[:60]} is not known", where="--family", expected=f"one of {', '.join(FAMILIES)}"
        )
    if settings.normalizes_before:
        if family not in (None, "roberta"):
            raise ModelError(f"{family} is post-norm, and this checkpoint is pre-norm", where=where)
        return "roberta-prelayernorm" if settings.has_embedding_norm else "xlm-roberta-xl"
    return FAMILIES[family] if family else _guess_family(settings, dictionary)


def _guess_family(settings: FairseqSettings, dictionary: Dictionary) -> str:
    # CamemBERT's dictionary has <s> and </s> a second time, behind the usual ones.
    if dictionary.bos != 0:
        return "camembert"
    is_multilingual = settings.task.startswith("multilingual") or settings.arch.startswith("xlm")
    return "xlm-roberta" if is_multilingual else "roberta"


def check_network(settings: FairseqSettings, keys: FairseqKeys, version: float, where: str) -> None:
    """See that a family of transformers computes what the settings and the weights say.

    Args:
        version: of the encoder, from its buffer; 1 where it has none.

    Raises:
        ModelError: none does; names what differs.
    """
    is_prenorm = settings.normalizes_before
    lacks_norm = "layer_norm.weight" not in keys.body or version < _NORM_VERSION
    refused = (
        (settings.lacks_positions, "no positions (no_token_positional_embeddings)"),
        (not settings.learns_positions, "sinusoidal positions (encoder_learned_pos is false)"),
        ("embed_positions.weight" not in keys.body, "no table of positions: they are sinusoidal, or none"),
        (not settings.keeps_embedding_scale, "scaled embeddings (no_scale_embedding is false)"),
        (settings.adapts_inputs, "adaptive inputs (adaptive_input)"),
        (settings.quantises_by_blocks > 0, "quant noise (quant_noise_pq)"),
        (settings.quantises_scalars > 0, "quant noise (quant_noise_scalar)"),
        (settings.layers_to_keep is not None, "layers that are to be left out (encoder_layers_to_keep)"),
        (settings.activation not in ACTIVATIONS, f"the activation {ascii(settings.activation)[:40]}"),
        (is_prenorm and lacks_norm, "pre-norm layers without a norm behind the last one"),
        (not is_prenorm and "layer_norm.weight" in keys.body, "a norm behind post-norm layers"),
        (
            not is_prenorm and not settings.has_embedding_norm,
            "no norm behind the embeddings (layernorm_embedding is false) before post-norm layers",
        ),
    )
    for is_so, what in refused:
        if is_so:
            raise make_refusal(what, where)


def measure_sizes(settings: FairseqSettings, keys: FairseqKeys, where: str) -> Sizes:
    """The sizes that the weights have; heads of attention stand in the settings alone.

    Raises:
        ModelError: the settings say others, or a table is missing.
    """
    tables = [
        keys.body.get(name)
        for name in ("embed_tokens.weight", "embed_positions.weight", "layers.0.fc1.weight")
    ]
    shapes = [table.shape for table in tables if table is not None and len(table.shape) == 2]
    if len(shapes) != len(tables):
        raise ModelError("embeddings or the first layer are missing in its weights", where=where)
    (vocabulary, width), (positions, _), (inner, _) = shapes
    said = (
        ("encoder_layers", settings.layers, keys.layers),
        ("encoder_embed_dim", settings.width, width),
        ("encoder_ffn_embed_dim", settings.inner_width, inner),
    )
    for name, expected, found in said:
        if expected not in (None, found):
            raise ModelError(f"its settings say {name} {expected}, and its weights have {found}", where=where)
    heads = settings.heads
    if not heads or width % heads:
        raise ModelError(
            f"encoder_attention_heads is {heads}",
            where=where,
            expected=f"a number that divides its width, {width}",
        )
    return Sizes(vocabulary, positions, keys.layers, width, inner, heads)


def make_config(
    family: str, settings: FairseqSettings, sizes: Sizes, dictionary: Dictionary, **outputs: Any
) -> Any:
    """The configuration; `outputs` are what it says of a head's."""
    return AutoConfig.for_model(
        family,
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.inner_width,
        max_position_embeddings=sizes.positions,
        type_vocab_size=1,
        hidden_act=ACTIVATIONS[settings.activation],
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.attention_dropout,
        classifier_dropout=settings.pooler_dropout,
        layer_norm_eps=EPSILON,
        initializer_range=_SPREAD,
        pad_token_id=dictionary.pad,
        bos_token_id=dictionary.bos,
        eos_token_id=dictionary.eos,
        tie_word_embeddings=not settings.unties_head,
        dtype="float32",
        **outputs,
    )
