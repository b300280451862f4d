"""QLoRA: LoRA over a base whose linear layers lie in four bits (Dettmers et al. 2023)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import nn

from headstart.config.runs import Run
from headstart.device import Precision, choose_compute_dtype
from headstart.methods.four_bits import (
    check_quantisable,
    count_four_bit_bytes,
    count_matrix_weights,
    import_bitsandbytes,
    list_quantisable_layers,
    quantise_model,
)
from headstart.methods.lora import LoraMethod
from headstart.methods.lora_layers import count_linear_weights
from headstart.models.accounting.counts import count_parameters
from headstart.prepared import PreparedRun


class QloraMethod(LoraMethod):
    """As LoRA, but for the format of the base."""

    name = "qlora"

    def load_libraries(self) -> None:
        """PEFT, and bitsandbytes, whose four-bit layers these are."""
        super().load_libraries()
        import_bitsandbytes()

    def check(self, run: Run, skeleton: Any, missing_keys: Collection[str]) -> None:
        """Some layer can be put into four bits, besides LoRA's own conditions."""
        check_quantisable(skeleton, f"arms.{run.arm}.method")
        super().check(run, skeleton, missing_keys)

    def list_cautions(self, prepared: PreparedRun) -> Iterator[str]:
        """Where most of the body stays as it is, as that of a mixture whose experts are no linear layers."""
        yield from super().list_cautions(prepared)
        skeleton: Any = prepared.checkpoint.build_skeleton()
        weights, matrices = count_linear_weights(skeleton), count_matrix_weights(skeleton)
        small = sum(weights[path] for path in list_quantisable_layers(skeleton))
        if small < matrices / 2:
            yield (
                f"of a {skeleton.config.model_type} only {100 * small / matrices:.2g}% of the body's "
                f"matrices ({small:,} of {matrices:,} weights) are linear layers, which are quantised "
                "to 4 bits; the others stay in 32 bits"
            )

    def choose_quantised_dtype(self, precision: Precision) -> torch.dtype | None:
        """That of the run's products."""
        return choose_compute_dtype(precision)

    def place_base(self, model: nn.Module, device: torch.device, precision: Precision) -> None:
        """Put the body's linear layers into four bits."""
        quantise_model(model, device, choose_compute_dtype(precision))

    def estimate_frozen_bytes(self, skeleton: Any, precision: Precision) -> int:
        """Layers in four bits, and the rest in float32."""
        weights = count_linear_weights(skeleton)
        small = set(list_quantisable_layers(skeleton))
        other_bytes = 4 * (count_parameters(skeleton).total - sum(weights.values()))
        return other_bytes + sum(
            count_four_bit_bytes(n) if path in small else 4 * n for path, n in weights.items()
        )


QLORA = QloraMethod()
