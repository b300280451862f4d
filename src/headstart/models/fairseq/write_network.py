"""Writes an imported model's configuration and weights, and sees that they load as they were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification

from headstart.errors import ModelError
from headstart.models.fairseq.heads import Kind
from headstart.models.library import build_network, load_network, model_errors, silence_logs

#: What `model_errors` says it expected.
BUILDABLE: Final = "settings that transformers can build a network from"
_CLASSES: Final = {
    Kind.CLASSIFIER: AutoModelForSequenceClassification,
    Kind.MASKED_LM: AutoModelForMaskedLM,
    Kind.NONE: AutoModel,
}


def write_network(
    weights: Mapping[str, torch.Tensor], config: Any, kind: Kind, folder: Path, where: str
) -> None:
    """Write configuration and weights as `save_pretrained` does, and see that they load as they were."""
    settings: dict[str, Any] = {"add_pooling_layer": False} if kind is Kind.NONE else {}
    with model_errors(where, BUILDABLE), silence_logs(), torch.device("meta"):
        network = build_network(_CLASSES[kind], config, **settings)
    _check_shapes(weights, network, where)
    network.load_state_dict(weights, assign=True)
    network.tie_weights()
    with silence_logs():
        network.save_pretrained(folder)
        loaded = load_network(_CLASSES[kind], str(folder), dtype=torch.float32).state_dict()
    changed = [name for name, value in weights.items() if not torch.equal(loaded[name], value)]
    if changed:
        raise ModelError(f"{changed[0]} differs when it is loaded again", where=str(folder))


def _check_shapes(weights: Mapping[str, torch.Tensor], network: Any, where: str) -> None:
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise ModelError(
            f"{len(wrong)} weights are missing or of the wrong size, such as {name}: "
            f"{list(found[name]) if name in found else 'none'}",
            where=where,
            expected=f"{list(expected[name]) if name in expected else 'none'}, by its settings",
        )
