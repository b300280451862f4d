"""Asks whether speed costs accuracy: fp32 with torch's own dropout against every lever on, seed by seed.

    python benchmarks/accuracy.py --seeds 10 --texts 400 --epochs 3

All ways of one seed have the same initial weights, head, texts, data order and schedule. One is the usual
loop (fp32, torch's dropout and AdamW, whole vocabulary), the other what a study does. Each goes back to its
best epoch on valid and is tested once. `--apart` adds the two between them: the usual loop in bf16, and
Headstart in fp32. Refuses a subject that this machine lacks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from levers import missing, run_of
from machine import machine

if TYPE_CHECKING:
    from headstart.data.corpus import Part
    from headstart.engine.member import Member, PackContext
    from levers import Name, Subject

_USUAL, _USUAL_BF16, _HEADSTART_FP32, _HEADSTART = "usual fp32", "usual bf16", "Headstart fp32", "Headstart"


@dataclass(frozen=True)
class Options:
    """The command line."""

    subject: Name
    seeds: int
    texts: int
    epochs: int
    apart: bool
    json: Path | None

    @property
    def ways(self) -> list[str]:
        """How each seed is run, the usual way first."""
        return [_USUAL, *([_USUAL_BF16, _HEADSTART_FP32] if self.apart else []), _HEADSTART]


def options(arguments: Sequence[str]) -> Options:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--subject", choices=["rotten", "books"], default="rotten", help="MiniLM, or RoBERTa-small-fr")
    add("--seeds", type=int, default=10)
    add("--texts", type=int, default=400, help="that each run learns from")
    add("--epochs", type=int, default=3)
    add("--apart", action="store_true", help="bf16 and the other levers apart from each other too")
    add("--json", type=Path, help="file for the numbers")
    parsed = Options(**vars(parser.parse_args(arguments)))
    if parsed.seeds < 2 or min(parsed.texts, parsed.epochs) < 1:
        parser.error("at least 2 seeds, 1 text and 1 epoch expected")
    why = missing(parsed.subject)
    if why is not None:
        parser.error(f"--subject {parsed.subject}: {why}")
    return parsed


def main(arguments: Sequence[str]) -> None:
    """Train every seed in every way and print the differences with their intervals."""
    wanted = options(arguments)
    print("  ".join(f"{name}: {value}" for name, value in machine().items()))
    print(f"{wanted.subject}: test accuracy, {wanted.texts} training examples, epochs: {wanted.epochs}")
    print("seed" + "".join(f"{way:>16}" for way in wanted.ways), flush=True)
    rows = [_row(seed, wanted) for seed in range(wanted.seeds)]
    if wanted.json is not None:
        results = {"machine": machine(), "ways": wanted.ways, "accuracy": rows}
        wanted.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"the most frequent label of test alone: {100 * _most_frequent(wanted):.2f}")
    columns = 100 * np.array(rows).T
    print("mean" + "".join(f"{column.mean():16.2f}" for column in columns))
    print("sd  " + "".join(f"{column.std(ddof=1):16.2f}" for column in columns))
    for way, column in zip(wanted.ways[1:], columns[1:], strict=True):
        print(conclusion(way, columns[0], column))


def conclusion(way: str, usual: np.ndarray, other: np.ndarray) -> str:
    """The paired difference with its 95% t interval, in points; equal pairs have an interval of one point."""
    from scipy import stats

    gain = other - usual
    low, high = stats.ttest_rel(other, usual).confidence_interval(0.95) if gain.std() else (gain[0], gain[0])
    says = "none seen" if low <= 0 <= high else "seen"
    return (
        f"{way} minus {_USUAL}: {gain.mean():+.2f} points, 95% interval [{low:+.2f}, {high:+.2f}], "
        f"{len(gain)} pairs: difference {says}"
    )


def _most_frequent(wanted: Options) -> float:
    """Its share: ways that get no further have learned nothing, and differ in nothing for that reason."""
    labels = run_of(wanted.subject).setting.parts["test"].labels
    return float(np.bincount(labels).max() / len(labels))


def _row(seed: int, wanted: Options) -> list[float]:
    """Test accuracy of each way."""
    chosen = run_of(wanted.subject, seed=seed, texts=wanted.texts, epochs=wanted.epochs)
    print(f"{seed:4}", end="", flush=True)
    accuracies = []
    for way in wanted.ways:
        accuracies.append(_accuracy_of(way, chosen))
        print(f"{100 * accuracies[-1]:16.2f}", end="", flush=True)
    print(flush=True)
    return accuracies


def _accuracy_of(way: str, chosen: Subject) -> float:
    fp32, bf16 = (replace(chosen.setting, precision=precision) for precision in ("fp32", "bf16"))
    if way == _USUAL:
        return _usual_run(chosen, fp32)
    if way == _USUAL_BF16:
        return _usual_run(chosen, bf16)
    return _headstart_run(chosen, fp32 if way == _HEADSTART_FP32 else chosen.setting)


def _usual_run(chosen: Subject, context: PackContext) -> float:
    """The usual script's run: torch's dropout and AdamW, best epoch on valid."""
    import torch

    from headstart.engine.member import iter_step_batches
    from headstart.engine.schedule import learning_rate
    from levers import usual

    model, member = chosen.model(), _fresh(chosen)
    torch.manual_seed(member.run.seed)
    step_of, best, kept = usual(model, member), -1.0, {}
    for step, turn in enumerate(iter_step_batches(member, context)):
        model.train()
        _backward(model, turn.batches[0], context)
        step_of(learning_rate(member.run.training, step, member.total_steps))
        if turn.ends_epoch:
            accuracy = _accuracy(model, "valid", context)
            if accuracy > best:
                best, kept = accuracy, {name: p.detach().clone() for name, p in model.named_parameters()}
    model.load_state_dict(kept, strict=False)
    return _accuracy(model, "test", context)


def _fresh(chosen: Subject) -> Member:
    """The run before its first step."""
    from headstart.engine.member import Member

    return Member(chosen.member.run, chosen.member.index)


def _backward(model: Any, index: np.ndarray, context: PackContext) -> None:
    import torch

    from headstart.data.batches import collate
    from headstart.device import make_autocast_context
    from headstart.engine.step import build_inputs

    texts = context.parts["train"]
    batch = collate(texts.tokens, index, texts.labels[index], context.pad_id)
    with make_autocast_context(context.device, context.precision):
        logits = model(**build_inputs(batch, context.device)).logits
    labels = torch.from_numpy(batch.labels)
    torch.nn.functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]


def _headstart_run(chosen: Subject, context: PackContext) -> float:
    """The run as a study makes it."""
    from headstart.engine.train import train
    from headstart.events import ignore_events

    weights, member = chosen.weights(), _fresh(chosen)
    train([member], weights, context, ignore_events)
    if member.error is not None:
        raise SystemExit(str(member.error))
    assert member.weights is not None
    weights.values[0] = member.weights
    return _accuracy(weights.module, "test", context)


def _accuracy(model: Any, part: Part, context: PackContext) -> float:
    from headstart.engine.epochs import evaluate_part
    from headstart.engine.evaluate import require_scores

    return float(require_scores(*evaluate_part(model, part, context))["accuracy"])


if __name__ == "__main__":
    main(sys.argv[1:])
