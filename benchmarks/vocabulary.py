"""Measures what keeping unused embedding rows out of training saves: a step's time, and a process's memory.

    python benchmarks/vocabulary.py --rows 20000 --json vocabulary.json

XLM-RoBERTa-base's shape (or BERT-base's) with random weights, on random ids, through Headstart's own step;
the whole table against the rows in use, interleaved, each in a fresh process. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from cells import SHAPES, Cell, members_of, setting_of, timed

GIB = 2**30


def measure(kind: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Here: milliseconds a step and the peak of memory, with the rows in use or with the whole table."""
    import numpy as np
    import torch

    from headstart.engine.memory import keep_freed_memory, read_peak_bytes, reset_peak_memory
    from headstart.engine.optim.decay import find_decaying_parameters
    from headstart.engine.train import iter_training_steps
    from headstart.engine.weights import Weights
    from headstart.models.vocabulary import compact_embedding

    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    cell = _cell(arguments)
    model = SHAPES[arguments.shape].model(0)
    if kind == "used":
        assert compact_embedding(model, np.arange(arguments.rows)) is None
    weights = Weights(model, find_decaying_parameters(model))
    reset_peak_memory()
    marks = timed(iter_training_steps(members_of(cell), weights, setting_of(cell)), cell)
    spans = [b - a for a, b in pairwise(marks)]
    return {
        "ms": 1e3 * statistics.median(spans),
        "gib": read_peak_bytes() / GIB,
        "weights": weights.values.numel(),
    }


def _cell(arguments: argparse.Namespace) -> Cell:
    """Texts of the ids that the small table has too."""
    return Cell(
        kind="one",
        shape=arguments.shape,
        length=arguments.length,
        batch=arguments.batch,
        members=1,
        steps=arguments.steps,
        threads=arguments.threads,
        precision=arguments.precision,
        device="cpu",
        vocabulary=arguments.rows,
    )


def _in_fresh_process(words: Sequence[str], kind: str) -> dict[str, float]:
    command = [sys.executable, __file__, *words, "--cell", kind]
    completed = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(completed.stdout.splitlines()[-1])
    return figures


def _table(rounds: Sequence[dict[str, dict[str, float]]], arguments: argparse.Namespace) -> str:
    lines = [f"{arguments.shape}, batch {arguments.batch} x {arguments.length}, {arguments.precision}"]
    lines[0] += f", {arguments.threads} threads, {len(rounds)} rounds"
    for kind in ("full", "used"):
        values = [figures[kind] for figures in rounds]
        ms, gib = (sorted(figures[key] for figures in values) for key in ("ms", "gib"))
        lines.append(
            f"{kind:<5}{values[0]['weights'] / 1e6:8.1f} M weights  {statistics.median(ms):8.0f} ms a step "
            f"({ms[0]:.0f} to {ms[-1]:.0f})  {statistics.median(gib):6.2f} GiB at most"
        )
    ratio = [figures["full"]["ms"] / figures["used"]["ms"] for figures in rounds]
    saved = [figures["full"]["gib"] / figures["used"]["gib"] for figures in rounds]
    lines.append(
        f"full over used: time {statistics.median(ratio):.2f}, memory {statistics.median(saved):.2f}"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=("xlm-roberta-base", "bert-base"), default="xlm-roberta-base")
    parser.add_argument("--rows", type=int, default=20_000, help="ids that the texts use")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cell", choices=("full", "used"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        print(json.dumps(measure(arguments.cell, arguments)))
        return
    words = sys.argv[1:]
    rounds = [
        {kind: _in_fresh_process(words, kind) for kind in ("full", "used")} for _ in range(arguments.rounds)
    ]
    print(_table(rounds, arguments))
    if arguments.json:
        arguments.json.write_text(json.dumps(rounds, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
