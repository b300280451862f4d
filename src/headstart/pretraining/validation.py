"""Says when a pretraining is validated, and measures the model on the validation blocks."""

from __future__ import annotations

import math
from typing import Final

from headstart.data.token_blocks import TokenBlocks, bits_per_byte
from headstart.pretraining.batches import BlockReader
from headstart.pretraining.passes import PassMaker

#: Validations in all, where the settings do not say how often.
_VALIDATIONS: Final = 10


def count_validations(steps: int) -> int:
    """Validations of a pretraining of so many steps whose settings do not say how often."""
    return math.ceil(steps / max(1, steps // _VALIDATIONS))


def is_validation_due(steps: int, total: int, every: int | None) -> bool:
    """Whether the model is measured after so many steps: at the settings' interval, and after the last."""
    every = every or max(1, total // _VALIDATIONS)
    return steps == total or steps % every == 0


def measure_valid(passes: PassMaker, reader: BlockReader, valid: TokenBlocks) -> dict[str, float]:
    """Loss in nats per predicted token, accuracy, and bits per byte over the validation blocks."""
    model = passes.model
    model.eval()
    losses, hits, targets = 0.0, 0, 0
    for batch in reader.iterate_valid(valid):
        loss, hit = passes.measure(batch)
        losses, hits, targets = losses + float(loss), hits + int(hit), targets + batch.targets
    model.train()
    mean = losses / max(1, targets)
    return {
        "loss": mean,
        "accuracy": hits / max(1, targets),
        "bits_per_byte": bits_per_byte(mean, valid),
    }
