"""Counts a model's parameters from its configuration, by part, and what adapters and bits make of them.

No weights are read: the modules that are walked lie on torch's meta device.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
)

from headstart.commands.model_folders import refuse_study_folder
from headstart.config.study import Lora
from headstart.errors import HeadstartError
from headstart.methods.four_bits import check_quantisable, count_four_bit_bytes, list_quantisable_layers
from headstart.methods.lora_count import count_lora
from headstart.models.accounting.counts import count_by_part
from headstart.models.accounting.heads import Head, parse_head, read_head
from headstart.models.accounting.sizes import PLAIN_BYTES, Bits, LoraCount, ModelSize
from headstart.models.adapter_folders import find_config_source
from headstart.models.checkpoint_files import refuse_absent
from headstart.models.checkpoints import resolve_location
from headstart.models.library import build_network, model_errors, silence_logs
from headstart.models.library import read_config as load_config
from headstart.models.padding import forget_false_padding

_EXPECTED = "a folder with config.json, that file, a hub id that can be reached, or asset:minilm"
_MODEL_CLASSES: dict[Head, Any] = {
    Head.NONE: AutoModel,
    Head.MASKED_LM: AutoModelForMaskedLM,
    Head.CAUSAL_LM: AutoModelForCausalLM,
    Head.CLASSIFICATION: AutoModelForSequenceClassification,
}


def params(
    model: str | Path,
    *,
    omit: Sequence[str] = (),
    lora: Lora | None = None,
    bits: int = 32,
    head: str | None = None,
    labels: int | None = None,
) -> ModelSize:
    """The parameters of a model, by part, each by its formula and by walking the modules.

    Example:
        size = headstart.params("models/roberta-small-fr", omit=["biases"], lora=headstart.Lora(r=16))
        print(size)
        size.frame()  # pandas: a row for each part

    Args:
        model: a folder, a `config.json`, a hub id, or `asset:name`; weights are not needed.
        omit: what the total is to be without: biases, norms, pooler, head, lm-head, or any part's name.
        lora: adapters to add; the model is then one that classifies, unless it is a causal one.
        bits: how the weights are kept, 4, 16 or 32: in 4 as QLoRA does it, layers of the body alone.
        head: what follows the body, as a `Head` or its word; what the configuration names by default.
        labels: outputs of a classification head; the configuration's by default.

    Raises:
        ModelError: there is no such model, its family has no formulas, or formulas and walk do not agree.
        HeadstartError: `omit`, `bits` or `head` is none that is known.
    """
    kept_bits = _check_bits(bits)
    asked_head = parse_head(head) if head is not None else None
    config = read_config(str(model), labels)
    return measure_model(config, str(model), omit=omit, lora=lora, bits=kept_bits, head=asked_head)


def _check_bits(bits: int) -> Bits:
    if bits not in get_args(Bits):
        known = ", ".join(map(str, get_args(Bits)))
        raise HeadstartError(f"{bits!r} is not known", where="--bits", expected=f"one of {known}")
    return cast(Bits, bits)


def read_config(name: str, labels: int | None = None) -> Any:
    """The configuration of the model that `name` names, or an adapter's base, with so many labels if given.

    Raises:
        ModelError: there is none.
    """
    changes = {} if labels is None else {"num_labels": labels}
    location = resolve_location(name)
    refuse_absent(location)
    refuse_study_folder(Path(location))
    location = find_config_source(location) if Path(location).is_dir() else location
    with model_errors(name, _EXPECTED), silence_logs():
        config = load_config(location, **changes)
    forget_false_padding(config)
    return config


def measure_model(
    config: Any,
    name: str,
    *,
    omit: Sequence[str] = (),
    lora: Lora | None = None,
    bits: Bits = 32,
    head: Head | None = None,
) -> ModelSize:
    """As `params`, of a configuration; `name` is the model's in what is printed.

    Raises:
        ModelError: its family has no formulas, or formulas and walk do not agree.
        HeadstartError: `omit` names nothing that the model has.
    """
    head = head or _choose_head(config, lora)
    model = _build_skeleton(config, head, name)
    with model_errors(name, "a configuration of whole numbers, as the family has it"):
        full = count_by_part(model, config, head)
    layer_sizes = _count_quantised(model, name) if bits == 4 else []
    unquantised = full.total - sum(layer_sizes)
    return ModelSize(
        name=name,
        family=config.model_type,
        head=head,
        full=full,
        counted=full.omit(omit),
        omitted=tuple(omit),
        bits=bits,
        quantised=sum(layer_sizes),
        weight_bytes=sum(map(count_four_bit_bytes, layer_sizes)) + unquantised * PLAIN_BYTES[bits],
        lora=_count_lora(config, head, name, lora) if lora else None,
    )


def _choose_head(config: Any, lora: Lora | None) -> Head:
    """The configuration's head; an adapted model that is not causal classifies."""
    head = read_head(config)
    return head if lora is None or head is Head.CAUSAL_LM else Head.CLASSIFICATION


def _build_skeleton(config: Any, head: Head, name: str) -> Any:
    """The model without memory for its weights."""
    with model_errors(name, f"a family that can have the head {head}"), silence_logs(), torch.device("meta"):
        return build_network(_MODEL_CLASSES[head], config)


def _count_quantised(model: Any, name: str) -> list[int]:
    """Weights of each layer that QLoRA keeps in four bits.

    Raises:
        ModelError: there is none.
    """
    check_quantisable(model, name)
    return [int(model.get_submodule(path).weight.numel()) for path in list_quantisable_layers(model)]


def _count_lora(config: Any, head: Head, name: str, lora: Lora) -> LoraCount:
    # Pretraining of masked language models leaves no pooler behind.
    has_pooler = read_head(config) is not Head.MASKED_LM
    return count_lora(partial(_build_skeleton, config, head, name), lora, has_pooler=has_pooler)
