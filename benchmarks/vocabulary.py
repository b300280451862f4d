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
import time
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

SHAPES = {"xlm-roberta-base": ("xlm-roberta", 250_002), "bert-base": ("bert", 30_522)}
WARM = 2
GIB = 2**30


def measure(shape: str, rows: int | None, arguments: argparse.Namespace) -> dict[str, float]:
    """In this process: milliseconds a step and the peak of memory, with `rows` of the table, or the whole."""
    import numpy as np
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from headstart.engine.member import Member
    from headstart.engine.memory import keep_freed_memory, peak_bytes, reset_peak
    from headstart.engine.train import single_steps
    from headstart.engine.weights import Weights
    from headstart.models.vocabulary import compact
    from headstart.tuning.full import decaying

    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    family, vocabulary = SHAPES[shape]
    config = AutoConfig.for_model(family, vocab_size=vocabulary, max_position_embeddings=514, pad_token_id=1)
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32).train()
    used = np.arange(arguments.rows)
    if rows is not None:
        assert compact(model, used) is None
    setting, run = _setting(arguments, len(used))
    weights = Weights(model, decaying(model))
    reset_peak()
    steps = single_steps([Member(run, np.arange(64))], weights, setting)
    marks = [time.perf_counter() for _ in islice(steps, WARM + 1 + arguments.steps)]
    spans = [b - a for a, b in pairwise(marks)][WARM:]
    return {
        "ms": 1e3 * statistics.median(spans),
        "gib": peak_bytes() / GIB,
        "weights": weights.values.numel(),
    }


def _setting(arguments: argparse.Namespace, ids: int) -> tuple[Any, Any]:
    """64 texts of equal length, of ids that the small table has too, and a run on them."""
    import numpy as np
    import torch

    from headstart.config.expand import Run
    from headstart.config.study import Training
    from headstart.data.tokenise import Tokens
    from headstart.engine.member import Setting, Texts

    count, length = 64, arguments.length
    draws = np.random.default_rng(0)
    starts = np.arange(count + 1) * length
    tokens = Tokens(draws.integers(5, ids, count * length).astype(np.int32), starts, None, 0)
    texts = Texts(tokens, draws.integers(0, 2, count))
    setting = Setting(
        task="classification",
        classes=2,
        pad_id=1,
        metric="accuracy",
        curves=("valid",),
        parts=dict.fromkeys(("train", "valid", "test"), texts),
        device=torch.device("cpu"),
        precision=arguments.precision,
    )
    training = Training(batch_size=arguments.batch, steps=1000, learning_rate=1e-5)
    return setting, Run("arm", "all", 0, "full", "random", False, training)


def _in_fresh_process(words: Sequence[str], kind: str) -> dict[str, float]:
    command = [sys.executable, __file__, *words, "--cell", kind]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(made.stdout.splitlines()[-1])
    return found


def _table(rounds: Sequence[dict[str, dict[str, float]]], arguments: argparse.Namespace) -> str:
    lines = [f"{arguments.shape}, batch {arguments.batch} x {arguments.length}, {arguments.precision}"]
    lines[0] += f", {arguments.threads} threads, {len(rounds)} rounds"
    for kind in ("full", "used"):
        own = [one[kind] for one in rounds]
        ms, gib = (sorted(one[key] for one in own) for key in ("ms", "gib"))
        lines.append(
            f"{kind:<5}{own[0]['weights'] / 1e6:8.1f} M weights  {statistics.median(ms):8.0f} ms a step "
            f"({ms[0]:.0f} to {ms[-1]:.0f})  {statistics.median(gib):6.2f} GiB at most"
        )
    ratio = [one["full"]["ms"] / one["used"]["ms"] for one in rounds]
    saved = [one["full"]["gib"] / one["used"]["gib"] for one in rounds]
    lines.append(
        f"full over used: time {statistics.median(ratio):.2f}, memory {statistics.median(saved):.2f}"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, default="xlm-roberta-base")
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
        rows = arguments.rows if arguments.cell == "used" else None
        print(json.dumps(measure(arguments.shape, rows, arguments)))
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
