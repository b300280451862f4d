"""Sorts runs into groups that can train as one, and cuts groups into packs; says why a run must be alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from headstart.config.expand import Pack, Run
from headstart.engine.stack import unstackable
from headstart.execute.prepare import Prepared


@dataclass(frozen=True)
class Group:
    """Runs that can be members of one pack, in the study's order; or, with a reason, each alone."""

    runs: tuple[Run, ...]
    reason: str | None = None

    @property
    def most(self) -> int:
        """The largest pack that could be made."""
        return 1 if self.reason else len(self.runs)


def groups(runs: Sequence[Run], prepared: Prepared) -> list[Group]:
    """The runs, grouped by all that the members of a pack share: architecture, tokens, batches, format.

    Arms of one architecture go together whatever they start from, with any seed, size, rate and length.
    """
    together: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        together[_shared(run, prepared)].append(run)
    reasons = {name: unstackable(one.skeleton()) for name, one in prepared.checkpoints.items()}
    return [Group(tuple(own), _why_alone(own[0], reasons)) for own in together.values()]


def packs(groups: Sequence[Group], size: int) -> list[Pack]:
    """Packs of at most `size` runs, a group's as even as can be; groups of a bag of words last.

    These take seconds and fill the gap while the last long pack ends.
    """
    ordered = sorted(groups, key=lambda group: group.runs[0].method == "bag-of-words")
    return [Pack(part) for group in ordered for part in _parts(group.runs, min(size, group.most))]


def halves(pack: Pack) -> list[Pack]:
    """Two packs of half the runs each."""
    return [Pack(part) for part in _parts(pack.runs, -(-len(pack.runs) // 2))]


def _parts(runs: tuple[Run, ...], size: int) -> list[tuple[Run, ...]]:
    count = -(-len(runs) // size)
    cuts = [len(runs) * i // count for i in range(count + 1)]
    return [runs[start:stop] for start, stop in pairwise(cuts)]


def _shared(run: Run, prepared: Prepared) -> str:
    """What two runs must have in common to meet in a pack, as one string."""
    if run.method == "bag-of-words":
        return run.method
    checkpoint, training = prepared.checkpoints[run.checkpoint], run.training
    tokens = [str(part.folder) for part in prepared.tokens_of(run).values()]
    batches = [training.batch_size, training.accumulation, training.precision]
    return json.dumps([run.method, checkpoint.shape, tokens, batches], sort_keys=True, default=str)


def _why_alone(run: Run, reasons: dict[str, str | None]) -> str | None:
    return "a bag of words is fitted" if run.method == "bag-of-words" else reasons[run.checkpoint]
