"""The types in which a family describes its models: layers, norms and sections, with their formulas.

Formulas are those of `formulas`. What each family is made of stands in `encoders` and `decoders`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from headstart.errors import ModelError
from headstart.models.accounting.breakdown import Kind, Place
from headstart.models.accounting.formulas import add_formulas
from headstart.models.accounting.heads import Head


@dataclass(frozen=True)
class LayerSpec:
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
class NormSpec:
    """A norm over `width` numbers: a scale for each, and a shift unless it is an RMSNorm or has none."""

    module: str
    width: str = "D"
    has_shift: bool = True

    @property
    def formula(self) -> str:
        """Its scales and shifts."""
        return f"2·{self.width}" if self.has_shift else self.width

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters."""
        return (f"{self.module}.weight", f"{self.module}.bias")[: 1 + self.has_shift]


@dataclass(frozen=True)
class SectionSpec:
    """Layers of one place, which the model has `times` times."""

    place: Place
    layers: tuple[LayerSpec | NormSpec, ...]
    times: str = "1"


@dataclass(frozen=True)
class PartSpec:
    """One line of a section: its formula, and the names of the parameters that it counts."""

    part: str
    kind: Kind
    formula: str
    parameters: tuple[str, ...]


def _read_no_symbols(config: Any) -> dict[str, int]:
    return {}


@dataclass(frozen=True)
class Family:
    """Models of one `model_type`.

    `specify` gives the sections of a configuration with such a head. `read_symbols` gives values of symbols
    that other families lack or compute in another way.
    """

    specify: Callable[[Any, Head], Iterator[SectionSpec]]
    read_symbols: Callable[[Any], dict[str, int]] = _read_no_symbols


def read_symbols(config: Any) -> dict[str, int]:
    """The values of the symbols that all families share.

    Raises:
        ModelError: one of them is no whole number; the family's own network may do without it.
    """
    read = partial(_read_size, config)
    width, heads = config.hidden_size, config.num_attention_heads
    head_width = read("head_dim") or width // heads
    values = {
        "V": config.vocab_size,
        "P": read("max_position_embeddings"),
        "S": read("type_vocab_size"),
        "E": read("embedding_size") or width,
        "D": width,
        "L": config.num_hidden_layers,
        "M": config.num_hidden_layers - 1,
        "H": heads,
        "W": head_width,
        "A": heads * head_width,
        "K": (read("num_key_value_heads") or heads) * head_width,
        "F": read("intermediate_size") or read("hidden_dim") or 4 * width,
        "C": config.num_labels,
    }
    return {symbol: int(value) for symbol, value in values.items() if value is not None}


def _read_size(config: Any, key: str) -> int | None:
    """A size that some families have, and others may have under a name that says nothing to them."""
    value = getattr(config, key, None)
    if value is not None and not isinstance(value, int):
        raise ModelError(
            f"{key} of config.json is {repr(value)[:80]}",
            where=config.name_or_path or config.model_type,
            expected="a whole number",
        )
    return value


def specify_decoder(config: Any, module: str, width: str = "D", bias: str = "") -> LayerSpec:
    """What turns vectors into logits of the vocabulary: the token table again, unless it is not tied."""
    is_tied = bool(config.tie_word_embeddings)
    return LayerSpec("decoder", module, "" if is_tied else f"V·{width}", bias, is_tied=is_tied)


def specify_causal_head(config: Any, head: Head, width: str = "D") -> Iterator[SectionSpec]:
    """The heads of causal families, which have no biases."""
    if head is Head.CAUSAL_LM:
        yield SectionSpec("lm-head", (specify_decoder(config, "lm_head", width),))
    if head is Head.CLASSIFICATION:
        yield SectionSpec("head", (LayerSpec("classifier", "score", f"{width}·C"),))


def list_parts(section: SectionSpec) -> Iterator[PartSpec]:
    """The section's lines: the weights of each layer, then all biases in one line, all norms in another."""
    layers = [layer for layer in section.layers if isinstance(layer, LayerSpec)]
    norms = [norm for norm in section.layers if isinstance(norm, NormSpec)]
    for layer in layers:
        if layer.weight or layer.is_tied:
            yield PartSpec(layer.part, "weights", layer.weight, (f"{layer.module}.weight",))
        elif layer.is_bias_table:
            yield PartSpec(layer.part, "biases", layer.bias, (f"{layer.module}.weight",))
    if biased := [layer for layer in layers if layer.bias and not layer.is_bias_table]:
        yield _sum_biases(biased)
    if norms:
        yield _sum_norms(norms)


def _sum_biases(layers: Sequence[LayerSpec]) -> PartSpec:
    names = tuple(f"{layer.module}.bias" for layer in layers)
    return PartSpec("biases", "biases", add_formulas(layer.bias for layer in layers), names)


def _sum_norms(norms: Sequence[NormSpec]) -> PartSpec:
    names = tuple(name for norm in norms for name in norm.parameters)
    return PartSpec("norms", "norms", add_formulas(norm.formula for norm in norms), names)
