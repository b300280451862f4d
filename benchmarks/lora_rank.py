"""Measures how the size of an adapter's update goes with its rank, by each rule for alpha.

    python benchmarks/lora_rank.py --steps 20,100 --rate 2e-4 --json lora_rank.json

A random BLOOM of 2 layers of 128 learns random tokens with AdamW, at one rate, with each rank and seed; the
figure is the mean Frobenius norm of scale B A over its adapters. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from machine import machine

if TYPE_CHECKING:
    from headstart.config.study import Lora

VOCABULARY, WIDTH, BATCH, TOKENS = 200, 128, 8, 24


def _list_rules() -> dict[str, Callable[[int], Lora]]:
    """The settings of a rank, by what a person would call the rule."""
    from headstart.config.study import Lora

    return {
        "no alpha": lambda r: Lora(r=r, dropout=0),
        "no alpha, rslora": lambda r: Lora(r=r, rslora=True, dropout=0),
        "alpha 32": lambda r: Lora(r=r, alpha=32, dropout=0),
        "alpha 2 r": lambda r: Lora(r=r, alpha=2 * r, dropout=0),
        "alpha 2 r, rslora": lambda r: Lora(r=r, alpha=2 * r, rslora=True, dropout=0),
    }


def measure_update(lora: Lora, steps: int, rate: float, seed: int) -> float:
    """The mean norm of scale B A over the adapters, after so many steps."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from headstart.methods.lora_layers import inject_adapters, list_adapters

    torch.manual_seed(seed)
    shape = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "n_layer": 2, "n_head": 4}
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model("bloom", **shape)).train()
    inject_adapters(model, lora, seed)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
    tokens = torch.randint(0, VOCABULARY, (8, BATCH, TOKENS), generator=torch.Generator().manual_seed(seed))
    for step in range(steps):
        batch = tokens[step % len(tokens)]
        optimiser.zero_grad()
        model(batch, labels=batch).loss.backward()
        optimiser.step()
    layers = list_adapters(model).values()
    norms = [lora.scale * (layer.lora_B.weight @ layer.lora_A.weight).norm() for layer in layers]
    return float(torch.stack(norms).mean().detach())


def measure_rules(ranks: Sequence[int], steps: int, rate: float, seeds: int) -> list[dict[str, Any]]:
    """For each rule, the update of each rank over that of the first, the median over seeds."""
    rows = []
    for name, make in _list_rules().items():
        updates = np.array(
            [[measure_update(make(r), steps, rate, seed) for seed in range(seeds)] for r in ranks]
        )
        growth = np.median(updates / updates[0], axis=1)
        rows.append({"rule": name, "steps": steps, "rate": rate, "growth": [*map(float, growth)]})
    return rows


def print_rows(ranks: Sequence[int], rows: Sequence[dict[str, Any]]) -> None:
    """A table in Markdown."""
    print(f"| rule | steps | {' | '.join(f'r = {r}' for r in ranks)} |")
    print(f"| --- | ---: | {' | '.join('---:' for _ in ranks)} |")
    for row in rows:
        print(f"| {row['rule']} | {row['steps']} | {' | '.join(f'{g:.2f}' for g in row['growth'])} |")


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ranks", default="4,16,64")
    parser.add_argument("--steps", default="20,100")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    ranks, steps = ([*map(int, words.split(","))] for words in (arguments.ranks, arguments.steps))
    rows = [
        row for n_steps in steps for row in measure_rules(ranks, n_steps, arguments.rate, arguments.seeds)
    ]
    print_rows(ranks, rows)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "ranks": ranks, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
