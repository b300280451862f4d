"""Counts what a page of `headstart explain` shows: what LoRA's settings do to a model, or to an example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig

from headstart.commands.params import measure_model, read_config
from headstart.config.study import Lora
from headstart.errors import HeadstartError
from headstart.models.accounting.sizes import LoraExplanation

#: What there is a page about.
_TOPICS = ("lora",)
#: BLOOM-560m (bigscience/bloom-560m, config.json): 559,214,592 parameters.
_EXAMPLE: dict[str, Any] = {
    "model_type": "bloom",
    "vocab_size": 250_880,
    "hidden_size": 1024,
    "n_layer": 24,
    "n_head": 16,
    "architectures": ["BloomForCausalLM"],
}


def check_topic(topic: str) -> None:
    """See that there is a page about `topic`.

    Raises:
        HeadstartError: there is none.
    """
    if topic not in _TOPICS:
        known = ", ".join(_TOPICS)
        raise HeadstartError(f"no page about {topic!r}", where="explain", expected=known)


def explain_lora(model: str | Path | None = None, lora: Lora | None = None) -> LoraExplanation:
    """What LoRA's settings do to a model, or to BLOOM-560m as an example.

    Example:
        print(headstart.explain_lora("models/roberta-small-fr", headstart.Lora(r=4)).to_text())

    Raises:
        ModelError: as `params`.
    """
    if model is None:
        config, name = AutoConfig.for_model(**_EXAMPLE), "BLOOM-560m"
    else:
        config, name = read_config(str(model)), str(model)
    settings = lora or Lora()
    size = measure_model(config, name, lora=settings)
    assert size.lora is not None
    qlora_size = measure_model(config, name, lora=settings, bits=4)
    return LoraExplanation(size.lora, size, qlora_size, is_example=model is None)
