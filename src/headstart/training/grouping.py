"""Sorts runs into groups that can train as one, and cuts groups into packs; says why a run must be alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from headstart.config.runs import Pack, Run
from headstart.config.traits import get_method_traits
from headstart.methods import load_method
from headstart.prepared import PreparedRun


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


def group_runs(runs: Sequence[PreparedRun]) -> list[Group]:
    """The runs, grouped by all that the members of a pack share: architecture, tokens, batches, format.

    Arms of one architecture go together whatever they start from, with any seed, size, rate and length;
    adapters go together over one base, with any rank and scale.
    """
    together: dict[str, list[PreparedRun]] = defaultdict(list)
    for prepared in runs:
        together[_identify_pack(prepared)].append(prepared)
    return [
        Group(
            tuple(prepared.run for prepared in members),
            load_method(members[0].run.method).explain_alone(members[0]),
            _identify_shape(members[0]),
        )
        for members in together.values()
    ]


def cut_packs(
    groups: Sequence[Group], size: int, probes: int = 1, kept: Sequence[Sequence[str]] = ()
) -> list[Pack]:
    """Packs of at most `size` runs, or of `probes` where that is more, a group's as even as can be.

    Probes and bags of words come last: they take seconds and fill the gap while the last long pack ends.

    Args:
        kept: packs that were cut before, as keys of runs: those whose runs are all here are cut again.
    """
    ordered = sorted(groups, key=lambda group: get_method_traits(group.runs[0].method).queue)
    return [
        Pack(part)
        for group in ordered
        for part in _cut_group(group.runs, _limit_pack(group, size, probes), kept)
    ]


def _cut_group(runs: tuple[Run, ...], size: int, kept: Sequence[Sequence[str]]) -> Iterator[tuple[Run, ...]]:
    of_key = {run.key: run for run in runs}
    for keys in kept:
        if len(keys) <= size and all(key in of_key for key in keys):
            yield tuple(of_key.pop(key) for key in keys)
    if of_key:
        yield from _cut_evenly(tuple(of_key.values()), size)


def _limit_pack(group: Group, size: int, probes: int) -> int:
    return min(max(size, probes) if get_method_traits(group.runs[0].method).is_tiny else size, group.most)


def halve_pack(pack: Pack) -> list[Pack]:
    """Two packs of half the runs each."""
    return [Pack(part) for part in _cut_evenly(pack.runs, -(-len(pack.runs) // 2))]


def _cut_evenly(runs: tuple[Run, ...], size: int) -> list[tuple[Run, ...]]:
    count = -(-len(runs) // size)
    cuts = [len(runs) * i // count for i in range(count + 1)]
    return [runs[start:stop] for start, stop in pairwise(cuts)]


def _identify_pack(prepared: PreparedRun) -> str:
    """What two runs must have in common to meet in a pack, as one string."""
    base = load_method(prepared.run.method).identify_base(prepared)
    return json.dumps([_identify_shape(prepared), base], sort_keys=True, default=str)


def _identify_shape(prepared: PreparedRun) -> str:
    """What decides how large and how long a step is, as one string."""
    run = prepared.run
    if not prepared.method.has_checkpoint:
        return run.method
    tokens = [str(part.folder) for part in prepared.tokens.values()]
    alike = {"batch_size", "accumulation", "precision", "gradient_checkpointing"}
    training = run.training.model_dump(include=alike)
    settings = load_method(run.method).select_pack_settings(run)
    parts = [run.method, prepared.checkpoint.architecture, tokens, training, settings]
    return json.dumps(parts, sort_keys=True, default=str)
