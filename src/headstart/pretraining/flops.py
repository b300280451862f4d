"""Operations of a training step, and the share of a device's peak that they are; measures no time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from headstart.engine.compiling import count_product_weights

#: Peak operations a second in bf16 with sums in float32, dense, by a part of the device's name: NVIDIA's data
#: sheets of H100/H200 (SXM; PCIe; NVL), A100, L4, L40S, B200. The first that fits counts.
PEAKS: Final = (
    ("H200", 989.4e12),
    ("H100 PCIe", 756.5e12),
    ("H100 NVL", 835.5e12),
    ("H100", 989.4e12),
    ("B200", 2250e12),
    ("A100", 311.9e12),
    ("L40S", 362.1e12),
    ("L4", 121.0e12),
)


@dataclass(frozen=True)
class StepCost:
    """Operations of training: for each token that is read, and for each place that the head computes."""

    per_token: float
    per_place: float

    def count(self, tokens: int, places: int) -> float:
        """Of a step."""
        return self.per_token * tokens + self.per_place * places


def count_step_cost(model: Any, block: int) -> StepCost:
    """Operations of forward and backward pass (Chowdhery et al. 2022, "PaLM", appendix B).

    6 for each weight that takes part in products, of the body a token and of the head a place that is
    predicted; and 12 L H Q T a token for attention: L layers, H heads of Q numbers, blocks of T tokens. What
    is computed for places that only fill a batch up, or is computed again, does not count.
    """
    config = model.config
    everything = count_product_weights(model)
    of_body = count_product_weights(model.base_model)
    attention = 12 * config.num_hidden_layers * config.hidden_size * block
    return StepCost(6.0 * of_body + attention, 6.0 * (everything - of_body))


def find_peak(device_name: str) -> float | None:
    """The device's peak operations a second in bf16; None where it is not in the table."""
    return next((peak for name, peak in PEAKS if name in device_name), None)
