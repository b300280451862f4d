"""Sorts runs into groups that can train as one, and cuts groups into packs; says why a run must be alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from headstart.config.expand import Pack, Run
from headstart.config.traits import method_traits
from headstart.engine.stack import unstackable
from headstart.execute.prepare import Prepared
from headstart.tuning.lora import adapt


@dataclass(frozen=True)
class Group:
    """Runs that can be members of one pack, in the study's order; or, with a reason, each alone.

    Groups of one `shape` need the same memory and time: they differ in the numbers of their bases.
    """

    runs: tuple[Run, ...]
    reason: str | None = None
    shape: str = ""

    @property
    def most(self) -> int:
        """The largest pack that could be made."""
        return 1 if self.reason else len(self.runs)


def groups(runs: Sequence[Run], prepared: Prepared) -> list[Group]:
    """The runs, grouped by all that the members of a pack share: architecture, tokens, batches, format.

    Arms of one architecture go together whatever they start from, with any seed, size, rate and length;
    adapters go together over one base, with any rank and scale.
    """
    together: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        together[_shared(run, prepared)].append(run)
    return [
        Group(tuple(own), _why_alone(own[0], prepared), _shape(own[0], prepared)) for own in together.values()
    ]


def packs(groups: Sequence[Group], size: int, probes: int = 1) -> list[Pack]:
    """Packs of at most `size` runs, or of `probes` where that is more, a group's as even as can be.

    Probes and bags of words come last: they take seconds and fill the gap while the last long pack ends.
    """
    ordered = sorted(groups, key=lambda group: method_traits(group.runs[0].method).queue)
    return [Pack(part) for group in ordered for part in _parts(group.runs, _most(group, size, probes))]


def _most(group: Group, size: int, probes: int) -> int:
    return min(max(size, probes) if method_traits(group.runs[0].method).is_tiny else size, group.most)


def halves(pack: Pack) -> list[Pack]:
    """Two packs of half the runs each."""
    return [Pack(part) for part in _parts(pack.runs, -(-len(pack.runs) // 2))]


def _parts(runs: tuple[Run, ...], size: int) -> list[tuple[Run, ...]]:
    count = -(-len(runs) // size)
    cuts = [len(runs) * i // count for i in range(count + 1)]
    return [runs[start:stop] for start, stop in pairwise(cuts)]


def _shared(run: Run, prepared: Prepared) -> str:
    """What two runs must have in common to meet in a pack, as one string."""
    return json.dumps([_shape(run, prepared), _base(run, prepared)], sort_keys=True, default=str)


def _shape(run: Run, prepared: Prepared) -> str:
    """What decides how large and how long a step is, as one string."""
    if run.method == "bag-of-words":
        return run.method
    checkpoint, training = prepared.checkpoints[run.checkpoint], run.training
    tokens = [str(part.folder) for part in prepared.tokens_of(run).values()]
    alike = {"batch_size", "accumulation", "precision", "gradient_checkpointing"}
    chosen = training.model_dump(include=alike)
    adapters = [run.lora.model_dump(exclude={"r", "alpha", "rslora"}) if run.lora else run.peft]
    return json.dumps([run.method, checkpoint.shape, tokens, chosen, adapters], sort_keys=True, default=str)


def _base(run: Run, prepared: Prepared) -> list[object]:
    """What runs must have in common to share a frozen base: its weights, and which parts of it train."""
    if run.method in ("full", "none", "bag-of-words"):
        return []
    weights = prepared.checkpoints[run.checkpoint].digest if run.pretrained else f"random, seed {run.seed}"
    return [weights, run.probe.model_dump() if run.probe is not None else None]


def _why_alone(run: Run, prepared: Prepared) -> str | None:
    if run.method == "bag-of-words":
        return "a bag of words is fitted"
    if run.method == "none":
        return "nothing trains"
    if run.method == "peft":
        return "PEFT's own layers are not stacked"
    if run.method == "probe":
        return None
    skeleton = prepared.checkpoints[run.checkpoint].skeleton()
    if run.lora is not None:
        adapt(skeleton, run.lora, run.seed)
    return unstackable(skeleton)
