"""Runs a model over texts without gradient, window by window in the texts' own order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from headstart.config.metrics import Task
from headstart.data.batches import pad, reading_order
from headstart.data.tokenise import Tokens
from headstart.engine.device import Precision, autocast
from headstart.engine.metrics import meter
from headstart.engine.step import forward_inputs
from headstart.records import Scores

#: Tokens in one forward pass: enough to keep the processor busy, few enough to stay in its caches.
MOST_TOKENS = 4096
#: Texts whose logits are held at once, to be put back into their order.
WINDOW = 4096


def window_logits(
    module: torch.nn.Module, tokens: Tokens, *, pad_id: int, device: torch.device, precision: Precision
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Logits in the order of the texts: (which texts, float32 or float64 [n, C] on the CPU) per window."""
    was_training = module.training
    module.eval()
    try:
        start = 0
        for batches in reading_order(tokens.lengths, MOST_TOKENS, WINDOW):
            index = np.concatenate(batches)
            logits = torch.cat([_logits(module, tokens, b, pad_id, device, precision) for b in batches])
            ordered = torch.empty_like(logits)
            ordered[torch.from_numpy(index - start)] = logits
            yield slice(start, start + len(index)), ordered
            start += len(index)
    finally:
        module.train(was_training)


def _logits(
    module: torch.nn.Module,
    tokens: Tokens,
    index: np.ndarray,
    pad_id: int,
    device: torch.device,
    precision: Precision,
) -> torch.Tensor:
    batch = pad(tokens, index, index, pad_id)
    with torch.inference_mode(), autocast(device, precision):
        logits: torch.Tensor = module(**forward_inputs(batch, device)).logits
    return logits.to("cpu", torch.float64 if precision == "fp64" else torch.float32)


def evaluate(
    module: torch.nn.Module,
    tokens: Tokens,
    labels: np.ndarray,
    *,
    task: Task,
    classes: int,
    pad_id: int,
    device: torch.device,
    precision: Precision,
) -> Scores:
    """The task's metrics of `module` on N texts with labels [N] or [N, C]."""
    counted = meter(task, classes)
    for where, logits in window_logits(module, tokens, pad_id=pad_id, device=device, precision=precision):
        counted.add(logits, torch.from_numpy(labels[where]))
    return counted.scores()
