"""Reads what a fairseq checkpoint says of its network, from `args`, a `cfg` dictionary or OmegaConf's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from headstart.errors import ModelError
from headstart.models.fairseq.pickle_values import Record

_INTERPOLATION: Final = re.compile(r"\$\{([\w.]+)\}")
#: Links from setting to setting that are followed.
_MOST_LINKS: Final = 4
_LARGEST: Final = 2**31 - 1
#: What architectures of fairseq's RoBERTa set where a checkpoint does not say it (models/roberta/model.py).
_SIZES: Final = {
    "roberta_large": (24, 1024, 4096, 16),
    "xlm": (16, 1280, 5120, 16),
    **dict.fromkeys(("roberta", "roberta_base", "roberta_prenorm"), (12, 768, 3072, 12)),
}


@dataclass(frozen=True)
class FairseqSettings:
    """What decides how a network of fairseq's RoBERTa computes, and what it was trained with.

    `source` is where it stood: args, or cfg. Sizes are those of `encoder_*`; None: neither the checkpoint
    nor its architecture says.
    """

    source: str
    arch: str
    task: str
    layers: int | None
    width: int | None
    inner_width: int | None
    heads: int | None
    max_positions: int | None
    activation: str
    pooler_activation: str
    dropout: float
    attention_dropout: float
    activation_dropout: float
    pooler_dropout: float
    layer_dropout: float
    layers_to_keep: str | None
    normalizes_before: bool
    has_embedding_norm: bool
    learns_positions: bool
    lacks_positions: bool
    keeps_embedding_scale: bool
    unties_head: bool
    adapts_inputs: bool
    quantises_by_blocks: float
    quantises_scalars: float
    normalizes_spectrally: bool
    is_regression: bool
    shorten_method: str | None


class _Values:
    """Settings by fairseq's names, of the model first, then of the task, then of the whole."""

    def __init__(self, parts: list[dict[str, Any]], root: dict[str, Any], where: str) -> None:
        self._parts, self._root, self._where = parts, root, where

    def find(self, name: str) -> Any:
        """A setting's value; None where it is not set."""
        found = next((part[name] for part in self._parts if part.get(name) is not None), None)
        return self._follow(unwrap(found))

    def _follow(self, value: Any, links: int = _MOST_LINKS) -> Any:
        """What stands where `${task.data}` points to."""
        link = _INTERPOLATION.fullmatch(value) if isinstance(value, str) else None
        if link is None or not links:
            return value
        place: Any = self._root
        for key in link[1].split("."):
            place = read_mapping(place).get(key)
        return self._follow(unwrap(place), links - 1)

    def whole(self, name: str, default: int | None = None) -> int | None:
        """A whole number from 0 on."""
        value = self.find(name)
        if value is None:
            return default
        if type(value) is not int or not 0 <= value <= _LARGEST:
            raise self._refuse(name, "a whole number")
        return value

    def number(self, name: str, default: float) -> float:
        """A number from 0 on."""
        value = self.find(name)
        if value is None:
            return default
        if type(value) not in (int, float) or not 0 <= value <= _LARGEST:
            raise self._refuse(name, "a number")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.find(name)
        if value is None:
            return default
        if type(value) is not bool:
            raise self._refuse(name, "true or false")
        return value

    def word(self, name: str, default: str = "") -> str:
        """A text."""
        value = self.find(name)
        if value is None:
            return default
        if isinstance(value, Record) and value.arguments:  # an enum, whose value is a text
            value = value.arguments[0]
        if type(value) is not str:
            raise self._refuse(name, "a text")
        return value

    def _refuse(self, name: str, expected: str) -> ModelError:
        value = self.find(name)
        got = ascii(value)[:80] if type(value) in (str, float, bool) else f"a {type(value).__name__}"
        return ModelError(f"its setting {name} is {got}", where=self._where, expected=expected)


def read_settings(content: Mapping[Any, Any], where: str) -> FairseqSettings:
    """The settings in a checkpoint.

    Raises:
        ModelError: it has none, or one is of another kind.
    """
    source = next((key for key in ("cfg", "args") if content.get(key) is not None), None)
    root = read_mapping(content.get(source))
    if source is None or not root:
        raise ModelError(
            "no settings: neither args nor cfg is in it",
            where=where,
            expected="a checkpoint of fairseq's own, with the settings of its network",
        )
    sections = [read_mapping(unwrap(root.get(key))) for key in ("model", "task", "criterion")]
    return _make_settings(source, _Values([part for part in (*sections, root) if part], root, where))


def _make_settings(source: str, values: _Values) -> FairseqSettings:
    arch = values.word("arch") or values.word("_name")
    layers, width, inner, heads = _SIZES.get(arch, (None, None, None, None))
    is_prenorm = arch == "roberta_prenorm"
    positions = values.whole("max_positions")
    return FairseqSettings(
        source=source,
        arch=arch,
        task=_read_task(values),
        layers=values.whole("encoder_layers", layers),
        width=values.whole("encoder_embed_dim", width),
        inner_width=values.whole("encoder_ffn_embed_dim", inner),
        heads=values.whole("encoder_attention_heads", heads),
        max_positions=values.whole("tokens_per_sample") if positions is None else positions,
        activation=values.word("activation_fn", "gelu"),
        pooler_activation=values.word("pooler_activation_fn", "tanh"),
        dropout=values.number("dropout", 0.1),
        attention_dropout=values.number("attention_dropout", 0.1),
        activation_dropout=values.number("activation_dropout", 0.0) or values.number("relu_dropout", 0.0),
        pooler_dropout=values.number("pooler_dropout", 0.0),
        layer_dropout=values.number("encoder_layerdrop", 0.0),
        layers_to_keep=values.word("encoder_layers_to_keep") or None,
        normalizes_before=values.flag("encoder_normalize_before", is_prenorm),
        has_embedding_norm=values.flag("layernorm_embedding", not is_prenorm),
        learns_positions=values.flag("encoder_learned_pos", True),
        lacks_positions=values.flag("no_token_positional_embeddings", False),
        keeps_embedding_scale=values.flag("no_scale_embedding", True),
        unties_head=values.flag("untie_weights_roberta", False),
        adapts_inputs=values.flag("adaptive_input", False),
        quantises_by_blocks=values.number("quant_noise_pq", 0.0),
        quantises_scalars=values.number("quant_noise_scalar", 0.0),
        normalizes_spectrally=values.flag("spectral_norm_classification_head", False),
        is_regression=values.flag("regression_target", False),
        shorten_method=values.word("shorten_method") or None,
    )


def _read_task(values: _Values) -> str:
    """The name of a task: a word in a Namespace, in a configuration that of its section."""
    task = values.find("task")
    name = read_mapping(task).get("_name") if not isinstance(task, str) else task
    return name if isinstance(name, str) else ""


def unwrap(value: Any) -> Any:
    """What a node of OmegaConf's holds; other values as they are."""
    if isinstance(value, Record) and value.kind.startswith("omegaconf.") and "_val" in value.state:
        return value.state["_val"]
    return value


def read_mapping(value: Any) -> dict[str, Any]:
    """The keys and values of a dictionary, a Namespace, a settings object or OmegaConf's; else none."""
    if isinstance(value, Record):
        content = value.state.get("_content") if value.kind.startswith("omegaconf.") else value.state
        value = content if isinstance(content, dict) else {}
    if not isinstance(value, dict):
        return {}
    return {key: one for key, one in value.items() if isinstance(key, str)}
