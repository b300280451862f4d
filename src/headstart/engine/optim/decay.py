"""Full fine-tuning: every parameter trains, biases and norms without weight decay."""

from __future__ import annotations

import re

import torch

#: The library's own rule (transformers.Trainer.get_decay_parameter_names), by module type and by name.
_NO_DECAY_NAMES = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)", re.IGNORECASE)


def find_decaying_parameters(model: torch.nn.Module) -> frozenset[str]:
    """The names of the trainable parameters of `model` that decay."""
    norms = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, torch.nn.LayerNorm)
        for parameter in module.parameters(recurse=False)
    }
    return frozenset(
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and id(parameter) not in norms and not _NO_DECAY_NAMES.search(name)
    )
