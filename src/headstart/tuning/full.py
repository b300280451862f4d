"""Full fine-tuning: every parameter trains, biases and norms without weight decay."""

from __future__ import annotations

import re

import torch

#: The library's own rule (transformers.Trainer.get_decay_parameter_names), by module type and by name.
_NO_DECAY_NAMES = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)", re.IGNORECASE)


def parameter_groups(model: torch.nn.Module) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """The trainable parameters as (those that decay, those that do not), each in the model's order."""
    norms = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, torch.nn.LayerNorm)
        for parameter in module.parameters(recurse=False)
    }
    decay: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            exempt = id(parameter) in norms or _NO_DECAY_NAMES.search(name)
            (plain if exempt else decay).append(parameter)
    return decay, plain
