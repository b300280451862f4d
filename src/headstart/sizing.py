"""Counts a model's parameters from its configuration, by part, and says what adapters and bits make of them.

No weights are read: the modules that are walked lie on torch's meta device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
)

from headstart.config.study import Lora
from headstart.methods.four_bits import four_bit_bytes, quantised
from headstart.methods.lora_layers import targets
from headstart.models.anatomy import Head
from headstart.models.checkpoints import explained, locate, quiet
from headstart.models.count import Census, Row, by_hand, census, head_of
from headstart.models.formulas import MEANINGS, symbols_in
from headstart.tuning.weigh import ROLES, Adapters, count_adapters

Bits = Literal[4, 16, 32]
#: Bytes of a weight that trains, in float32: itself, its gradient, and AdamW's two moments.
TRAINED_BYTES = 16
#: BLOOM-560m (bigscience/bloom-560m, config.json): 559,214,592 parameters.
_EXAMPLE: dict[str, Any] = {
    "model_type": "bloom",
    "vocab_size": 250_880,
    "hidden_size": 1024,
    "n_layer": 24,
    "n_head": 16,
    "architectures": ["BloomForCausalLM"],
}
_EXPECTED = "a folder with config.json, that file, a hub id that can be reached, or asset:minilm"
_CLASSES: dict[Head, Any] = {
    "none": AutoModel,
    "masked-lm": AutoModelForMaskedLM,
    "causal-lm": AutoModelForCausalLM,
    "classification": AutoModelForSequenceClassification,
}


@dataclass(frozen=True)
class Sizes:
    """A model's parameters by part, and the memory that its weights take.

    `whole` is everything, `counted` what `omit` left; `weight_bytes` are those of the whole model's weights
    in `bits`, of which `quantised` numbers lie in four.
    """

    name: str
    family: str
    head: Head
    whole: Census
    counted: Census
    omitted: tuple[str, ...]
    bits: Bits
    quantised: int
    weight_bytes: int
    adapters: Adapters | None = None

    @property
    def total(self) -> int:
        """Parameters of the parts that were not left out."""
        return self.counted.total

    @property
    def trainable(self) -> int:
        """Those of them that train: all in full tuning, adapters and head with LoRA."""
        return self.adapters.trainable if self.adapters else self.total

    @property
    def training_bytes(self) -> int:
        """Weights, gradients and moments while it trains; activations are not in it."""
        if self.adapters is None:
            return TRAINED_BYTES * self.whole.total
        base = self.weight_bytes
        return (
            base + TRAINED_BYTES * self.adapters.trainable - 4 * (self.adapters.head + self.adapters.biases)
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        facts: dict[str, Any] = {
            "model": self.name,
            "family": self.family,
            "head": self.head,
            "symbols": {s: self.whole.symbols[s] for s in _symbols(self.counted.rows)},
            "meanings": {s: MEANINGS[s] for s in _symbols(self.counted.rows)},
            "parts": [_row_facts(row) for row in self.counted.rows],
            "omitted": list(self.omitted),
            "total": self.total,
            "trainable": self.trainable,
            "by_hand": by_hand(self.counted),
            "memory": {
                "bits": self.bits,
                "quantised": self.quantised,
                "weight_bytes": self.weight_bytes,
                "training_bytes": self.training_bytes,
                "full_training_bytes": TRAINED_BYTES * self.whole.total,
            },
        }
        return facts | ({"lora": self.adapters.facts} if self.adapters else {})


def _symbols(rows: Sequence[Row]) -> list[str]:
    return symbols_in([*(row.formula for row in rows), *(row.times_formula for row in rows)])


def _row_facts(row: Row) -> dict[str, Any]:
    return {
        "place": row.place,
        "part": row.part,
        "kind": row.kind,
        "formula": row.formula,
        "times": row.times,
        "each": row.each,
        "value": row.value,
        "count": row.count,
    }


def params(
    model: str | Path,
    *,
    omit: Sequence[str] = (),
    lora: Lora | None = None,
    bits: Bits = 32,
    head: Head | None = None,
    labels: int | None = None,
) -> Sizes:
    """The parameters of a model, by part, each by its formula and by walking the modules.

    Args:
        model: a folder, a `config.json`, a hub id, or `asset:name`; weights are not needed.
        omit: what the total is to be without: biases, norms, pooler, head, lm-head, or any part's name.
        lora: adapters to add; the model is then one that classifies, unless it is a causal one.
        bits: how the weights are kept: in 4 as QLoRA does it, layers of the body alone.
        head: what follows the body; what the configuration names by default.
        labels: outputs of a classification head; the configuration's by default.

    Raises:
        ModelError: there is no such model, its family has no formulas, or formulas and walk do not agree.
        HeadstartError: `omit` names nothing that the model has.
    """
    return _sizes(_configuration(str(model), labels), str(model), omit, lora, bits, head)


def _sizes(
    config: Any, name: str, omit: Sequence[str], lora: Lora | None, bits: Bits, head: Head | None
) -> Sizes:
    own = head or (_adapted_head(config) if lora else head_of(config))
    plain = _skeleton(config, own, name)
    whole = census(plain, config, own)
    counted = whole.without(omit)
    in_four = [_numbers(plain, path) for path in quantised(plain)] if bits == 4 else []
    rest = whole.total - sum(in_four)
    size = sum(map(four_bit_bytes, in_four)) + rest * (2 if bits == 16 else 4)
    make = partial(_skeleton, config, own, name)
    adapters = count_adapters(make, lora, has_pooler=head_of(config) != "masked-lm") if lora else None
    return Sizes(
        name, config.model_type, own, whole, counted, tuple(omit), bits, sum(in_four), size, adapters
    )


def explain_lora(model: str | Path | None = None, lora: Lora | None = None) -> dict[str, Any]:
    """What LoRA's settings do to a model, or to BLOOM-560m as an example, as plain values.

    Gives the facts of `params` with `lora`, and beside them under `explained` what the page about LoRA
    shows (`headstart.report.explain.page`).

    Raises:
        ModelError: as `params`.
    """
    config = _configuration(str(model), None) if model is not None else AutoConfig.for_model(**_EXAMPLE)
    name, settings = str(model) if model is not None else "BLOOM-560m", lora or Lora()
    in_four, plain = (_sizes(config, name, (), settings, bits, None) for bits in (4, 32))
    own = plain.adapters
    assert own is not None
    extra = {
        "is_example": model is None,
        "task_type": "CAUSAL_LM" if plain.head == "causal-lm" else "SEQ_CLS",
        "layers": {role: len(_targets(config, plain.head, role, name)) for role in ROLES},
        "scales": {
            str(alpha): _scales(own.lora, alpha)
            for alpha in (own.lora.r // 2 or 1, own.lora.r, 2 * own.lora.r, 4 * own.lora.r)
        },
        "qlora_bytes": in_four.training_bytes,
    }
    return plain.facts | {"explained": extra}


def _scales(lora: Lora, alpha: int) -> dict[str, float]:
    """What the update is multiplied by, plain and rank-stabilised."""
    kinds = {"scale": False, "rslora": True}
    return {k: lora.model_copy(update={"alpha": alpha, "rslora": own}).scale for k, own in kinds.items()}


def _targets(config: Any, head: Head, role: str, name: str) -> list[str]:
    return targets(_skeleton(config, head, name), Lora.model_validate({"target": role}))


def _adapted_head(config: Any) -> Head:
    return "causal-lm" if head_of(config) == "causal-lm" else "classification"


def _configuration(name: str, labels: int | None) -> Any:
    more = {} if labels is None else {"num_labels": labels}
    location = locate(name)
    with explained(name, _EXPECTED), quiet():
        return AutoConfig.from_pretrained(location, **more)


def _skeleton(config: Any, head: Head, name: str) -> Any:
    with explained(name, f"a family that can have the head {head}"), quiet(), torch.device("meta"):
        return _CLASSES[head].from_config(config)


def _numbers(model: Any, path: str) -> int:
    return int(model.get_submodule(path).weight.numel())
