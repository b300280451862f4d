"""Configurations of language models to pretrain: our presets, and a checkpoint's with other sizes."""

from __future__ import annotations

from typing import Any, Final

from transformers import BloomConfig, RobertaConfig

from headstart.config.pretraining import ModelSizes
from headstart.errors import ModelError

#: Attributes of transformers' configurations by our names of sizes, the first that one has counts.
_ATTRIBUTES: Final = {
    "layers": ("num_hidden_layers",),
    "width": ("hidden_size",),
    "heads": ("num_attention_heads",),
    "feed_forward": ("intermediate_size",),
    "positions": ("max_position_embeddings",),
}
_DROPOUTS: Final = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "hidden_dropout",
    "attention_dropout",
)


def make_preset_config(name: str, vocab_size: int, tokenizer: Any) -> Any:
    """The configuration of preset `name` for a tokenizer.

    `roberta-small`: 4 layers, width 512, 8 heads, feed-forward 512, 258 positions, as a fairseq RoBERTa of
    such sizes has it. `bloom-small`: BLOOM's form with 6 layers, width 512, 8 heads.
    """
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if name == "bloom-small":
        return BloomConfig(vocab_size=vocab_size, hidden_size=512, n_layer=6, n_head=8, **ids)
    return RobertaConfig(
        vocab_size=vocab_size,
        hidden_size=512,
        num_hidden_layers=4,
        num_attention_heads=8,
        intermediate_size=512,
        max_position_embeddings=258,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        **ids,
    )


def apply_sizes(config: Any, sizes: ModelSizes) -> Any:
    """The configuration with the sizes that are set, changed in place.

    Raises:
        ModelError: it has no such size, or heads do not divide the width.
    """
    for key, value in sizes.model_dump(exclude_none=True, exclude={"dropout"}).items():
        name = next((name for name in _ATTRIBUTES[key] if hasattr(config, name)), None)
        if name is None:
            kind = type(config).__name__
            raise ModelError(f"{kind} has no such size", where=f"sizes.{key}", fix="leave it out")
        setattr(config, name, value)
    for name in _DROPOUTS if sizes.dropout is not None else ():
        if hasattr(config, name):
            setattr(config, name, sizes.dropout)
    if config.hidden_size % config.num_attention_heads:
        raise ModelError(
            f"width {config.hidden_size} and {config.num_attention_heads} heads",
            where="sizes",
            expected="a width that the heads divide",
        )
    return config


def check_block(config: Any, block: int) -> None:
    """See that the model has a position for each token of a block.

    Raises:
        ModelError: it has fewer.
    """
    positions = getattr(config, "max_position_embeddings", None)
    offset = config.pad_token_id + 1 if config.model_type in ("roberta", "camembert", "xlm-roberta") else 0
    if positions is not None and block > positions - offset:
        raise ModelError(
            f"blocks of {block} tokens",
            where="training.block",
            expected=f"at most {max(0, positions - offset)}, which the model has positions for",
            fix=f"set a shorter block, or for random weights sizes.positions={block + offset}",
        )
