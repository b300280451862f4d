"""The words in which a model is described by its configuration alone: layers, norms, sections, symbols.

Formulas are those of `models.formulas`. What each family is made of stands in `encoders` and `decoders`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

#: Parts of a model that a total is asked with or without.
Place = Literal["embeddings", "block", "body", "pooler", "head", "lm-head"]
#: What follows the body.
Head = Literal["none", "masked-lm", "causal-lm", "classification"]


@dataclass(frozen=True)
class Layer:
    """A table or a linear layer: its part's name, its module's path, its weights and biases as formulas.

    In a path `*` stands for a number. Without a formula there is no such parameter: `is_tied` says that the
    weights are those of the token embedding. A table of one row, which every token gets, is a bias by another
    name: `is_bias_table`.
    """

    part: str
    module: str
    weight: str = ""
    bias: str = ""
    is_bias_table: bool = False
    is_tied: bool = False


@dataclass(frozen=True)
class Norm:
    """A norm over `width` numbers: a scale for each, and a shift unless it is an RMSNorm or has none."""

    module: str
    width: str = "D"
    shift: bool = True


@dataclass(frozen=True)
class Section:
    """Layers of one place, which the model has `times` times."""

    place: Place
    layers: tuple[Layer | Norm, ...]
    times: str = "1"


#: Gives the sections of a configuration with such a head, and adds symbols of its own.
Family = Callable[[Any, Head, dict[str, int]], Iterator[Section]]


def symbols_of(config: Any) -> dict[str, int]:
    """The values of the symbols that all families share."""
    width, heads = config.hidden_size, config.num_attention_heads
    head_width = getattr(config, "head_dim", None) or width // heads
    values = {
        "V": config.vocab_size,
        "P": getattr(config, "max_position_embeddings", None),
        "S": getattr(config, "type_vocab_size", None),
        "E": getattr(config, "embedding_size", None) or width,
        "D": width,
        "L": config.num_hidden_layers,
        "M": config.num_hidden_layers - 1,
        "H": heads,
        "W": head_width,
        "A": heads * head_width,
        "K": (getattr(config, "num_key_value_heads", None) or heads) * head_width,
        "F": getattr(config, "intermediate_size", None) or getattr(config, "hidden_dim", None) or 4 * width,
        "C": config.num_labels,
    }
    return {symbol: int(value) for symbol, value in values.items() if value is not None}


def decoder(config: Any, module: str, width: str = "D", bias: str = "") -> Layer:
    """What turns vectors into logits of the vocabulary: the token table again, unless it is not tied."""
    is_tied = bool(config.tie_word_embeddings)
    return Layer("decoder", module, "" if is_tied else f"V·{width}", bias, is_tied=is_tied)
