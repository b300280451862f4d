"""Holds what Headstart expects of GPU memory against what was measured once: a table of docs/plan.md.

    python benchmarks/device_memory.py

The expectation is computed here, without a GPU. What is beside it was measured on one NVIDIA H200 with torch
2.11, by steps that keep no dropout masks, captured as CUDA graphs, without evaluations and without copies of
best epochs: bytes that torch reserved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from cells import SHAPES, Shape

MIB: Final = 2**20
#: RoBERTa-small with the embedding rows that were in use, and the batch.
ROWS, TEXTS, TOKENS = 9_000, 8, 128
#: By the number of runs together, MiB reserved: as captured, and compiled before.
MEASURED: Final = {1: (536, 610), 6: (2_980, 2_848), 32: (14_204, 13_096), 64: (27_558, None)}


def expect(shape: Shape, runs: int) -> tuple[float, float]:
    """The least and the most MiB expected of so many runs together."""
    from headstart.data.batches import Batch
    from headstart.engine.trace import trace_memory
    from headstart.planning.device_memory import estimate_device_memory
    from headstart.planning.memory import MemoryEstimate
    from headstart.tasks import load_task

    ids = np.full((TEXTS, TOKENS), 5)
    batch = Batch(ids, np.ones_like(ids), None, np.zeros(TEXTS, np.int64))
    one, two = (
        trace_memory(
            lambda: shape.model(0),
            batch,
            batch,
            load_task("classification"),
            "bf16",
            members=members,
            stores_masks=False,
        )
        for members in (1, 2)
    )
    weights = sum(parameter.numel() for parameter in shape.model(0).parameters())
    need = MemoryEstimate(
        shared=0,
        member=16 * weights,
        step=one.step,
        evaluation=0,
        whole_model=0,
        narrow=True,
        stacked_step=two.step,
        gradient=4 * ROWS * shape.width,
    )
    span = estimate_device_memory(need, runs, captures=True)
    return span.low / MIB, span.high / MIB


def main() -> None:
    """Print the table."""
    shape = replace(SHAPES["roberta-small"], vocabulary=ROWS)
    print("| runs together | MiB expected | reserved | compiled | reserved to the middle |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for runs, (captured, compiled) in MEASURED.items():
        low, high = expect(shape, runs)
        ratio = captured / ((low + high) / 2)
        print(f"| {runs} | {low:.0f} to {high:.0f} | {captured} | {compiled or '-'} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
