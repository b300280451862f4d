"""Asks whether speed costs accuracy: fp32 with torch's own dropout against every lever on, seed by seed.

    python benchmarks/accuracy.py --seeds 10 --texts 400 --epochs 3

Both sides of a pair have the same initial weights, head, texts, data order and schedule. One is the usual
loop (fp32, torch's dropout and AdamW, whole vocabulary), the other what a study does. Each goes back to its
best epoch on valid and is tested once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from levers import SHARED, run_of
from machine import machine

if TYPE_CHECKING:
    from headstart.data.corpus import Part
    from headstart.engine.member import Member, Setting


@dataclass(frozen=True)
class Options:
    """The command line."""

    subject: str
    seeds: int
    texts: int
    epochs: int


def options(arguments: Sequence[str]) -> Options:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--subject", choices=["rotten", "books"], default="rotten", help="MiniLM, or RoBERTa-small-fr")
    add("--seeds", type=int, default=10)
    add("--texts", type=int, default=400, help="that each run learns from")
    add("--epochs", type=int, default=3)
    found = Options(**vars(parser.parse_args(arguments)))
    if found.seeds < 2 or min(found.texts, found.epochs) < 1:
        parser.error("at least 2 seeds, 1 text and 1 epoch expected")
    if found.subject == "books" and not SHARED.is_dir():
        parser.error(f"--subject books needs {SHARED}")
    return found


def main(arguments: Sequence[str]) -> None:
    """Train the pairs and print the difference with its interval."""
    wanted = options(arguments)
    print("  ".join(f"{name}: {value}" for name, value in machine().items()))
    print(f"{'seed':>4}{'fp32, torch':>14}{'all levers':>14}", flush=True)
    pairs = np.array([_pair(seed, wanted) for seed in range(wanted.seeds)])
    print(conclusion(100 * pairs[:, 0], 100 * pairs[:, 1]))


def conclusion(plain: np.ndarray, fast: np.ndarray) -> str:
    """Mean and deviation of each, and the paired difference with its 95% t interval, in points."""
    from scipy import stats

    gain = fast - plain
    low, high = stats.ttest_rel(fast, plain).confidence_interval(0.95)
    means = f"{plain.mean():.2f} +- {plain.std(ddof=1):.2f} and {fast.mean():.2f} +- {fast.std(ddof=1):.2f}"
    return (
        f"test accuracy {means}; difference {gain.mean():+.2f} points, 95% interval [{low:+.2f}, {high:+.2f}]"
    )


def _pair(seed: int, wanted: Options) -> tuple[float, float]:
    """Test accuracy of the two."""
    name: Any = wanted.subject
    chosen = run_of(name, seed=seed, texts=wanted.texts, epochs=wanted.epochs)
    plain = _usual_run(chosen.model(), chosen.member, replace(chosen.setting, precision="fp32"))
    fast = _headstart_run(chosen.model(), chosen.member, chosen.setting)
    print(f"{seed:4}{100 * plain:14.2f}{100 * fast:14.2f}", flush=True)
    return plain, fast


def _usual_run(model: Any, member: Member, setting: Setting) -> float:
    """The usual script's run: fp32, torch's dropout and AdamW, best epoch on valid."""
    import torch

    from headstart.engine.member import member_turns
    from headstart.engine.schedule import learning_rate
    from levers import usual

    torch.manual_seed(member.run.seed)
    step_of, best, kept = usual(model, member), -1.0, {}
    for made, turn in enumerate(member_turns(member, setting)):
        model.train()
        _backward(model, turn.passes[0], setting)
        step_of(learning_rate(member.run.training, made, member.total))
        if turn.ends_epoch:
            found = _accuracy(model, "valid", setting)
            if found > best:
                best, kept = found, {name: p.detach().clone() for name, p in model.named_parameters()}
    model.load_state_dict(kept, strict=False)
    return _accuracy(model, "test", setting)


def _backward(model: Any, index: np.ndarray, setting: Setting) -> None:
    import torch

    from headstart.data.batches import pad
    from headstart.engine.step import forward_inputs

    texts = setting.parts["train"]
    batch = pad(texts.tokens, index, texts.labels[index], setting.pad_id)
    logits = model(**forward_inputs(batch, setting.device)).logits
    labels = torch.from_numpy(batch.labels)
    torch.nn.functional.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]


def _headstart_run(model: Any, member: Member, setting: Setting) -> float:
    """The run as a study makes it."""
    from headstart.engine.train import train
    from headstart.engine.weights import Weights
    from headstart.tuning.full import decaying
    from levers import Silence, use_rows_in_use

    use_rows_in_use(model, setting)
    weights = Weights(model, decaying(model))
    train([member], weights, setting, Silence())
    assert member.weights is not None
    weights.values[0] = member.weights
    return _accuracy(weights.module, "test", setting)


def _accuracy(model: Any, part: Part, setting: Setting) -> float:
    from headstart.engine.train import measure

    return float(measure(model, part, setting)[0]["accuracy"])


if __name__ == "__main__":
    main(sys.argv[1:])
