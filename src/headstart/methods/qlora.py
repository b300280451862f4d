"""QLoRA: LoRA over a base whose linear layers lie in four bits (Dettmers et al. 2023)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from headstart.engine.device import Precision, compute_format
from headstart.methods.four_bits import bitsandbytes, four_bit_bytes, quantise, quantised
from headstart.methods.lora import LoraMethod
from headstart.methods.lora_layers import linear_layers
from headstart.models.accounting.counts import count_parameters


class QloraMethod(LoraMethod):
    """As LoRA, but for the format of the base."""

    name = "qlora"

    def load_libraries(self) -> None:
        """PEFT, and bitsandbytes, whose four-bit layers these are."""
        super().load_libraries()
        bitsandbytes()

    def choose_quantised_dtype(self, precision: Precision) -> torch.dtype | None:
        """That of the run's products."""
        return compute_format(precision)

    def place_base(self, model: nn.Module, device: torch.device, precision: Precision) -> None:
        """Put the body's linear layers into four bits."""
        quantise(model, device, compute_format(precision))

    def estimate_frozen_bytes(self, skeleton: Any, precision: Precision) -> int:
        """Layers in four bits, and the rest in float32."""
        weights = {path: int(skeleton.get_submodule(path).weight.numel()) for path in linear_layers(skeleton)}
        small = set(quantised(skeleton))
        rest = 4 * (count_parameters(skeleton).total - sum(weights.values()))
        return rest + sum(four_bit_bytes(n) if path in small else 4 * n for path, n in weights.items())


QLORA = QloraMethod()
