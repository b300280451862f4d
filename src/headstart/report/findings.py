"""Records become findings: summaries, contrasts, and what they mean in sentences a person can repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart.config.expand import grid
from headstart.config.metrics import LOWER_IS_BETTER, SHARES, better
from headstart.config.study import Size, Study
from headstart.records import Contrast, GridRow, Notice, RunRecord, SummaryRow, run_key
from headstart.report.tuning import edges, grid_rows
from headstart.stats.contrast import paired_difference
from headstart.stats.summary import summarise


@dataclass(frozen=True)
class Findings:
    """Everything the tables, the sentences and `results.json` say."""

    study: Study
    records: tuple[RunRecord, ...]
    summary: tuple[SummaryRow, ...]
    contrasts: tuple[Contrast, ...]
    notices: tuple[Notice, ...]
    tuning: tuple[GridRow, ...] = ()

    @property
    def failed(self) -> tuple[RunRecord, ...]:
        """The runs that did not end."""
        return tuple(record for record in self.records if record.status == "failed")

    def setting(self, arm: str, size: Size) -> dict[str, float] | None:
        """The setting that speaks for the arm: empty where none is tuned, none where nothing ended."""
        tried = [row for row in self.tuning if (row.arm, row.size) == (arm, size)]
        return next((row.setting for row in tried if row.chosen), None) if tried else {}

    def values(self, arm: str, size: Size, metric: str) -> dict[int, float]:
        """The test metric by seed of the arm's completed runs, in a tuned arm those of its chosen setting."""
        place = arm, size, self.setting(arm, size)
        return {
            record.seed: record.test[metric]
            for record in self.records
            if (record.arm, record.size, record.setting) == place and record.status == "done" and record.test
        }


def find(study: Study, records: Sequence[RunRecord], notices: Sequence[Notice]) -> Findings:
    """The findings of `study` from its records."""
    place = {key: i for i, key in enumerate(_wanted(study))}
    own = tuple(sorted((r for r in records if r.key in place), key=lambda r: place[r.key]))
    tuning = tuple(grid_rows(study, own))
    bare = Findings(study, own, (), (), (*notices, *edges(study, tuning)), tuning)
    return replace(bare, summary=tuple(_summary(bare)), contrasts=tuple(_contrasts(bare)))


def _wanted(study: Study) -> Iterator[str]:
    """The keys of the study's runs, in the order of its tables."""
    for size in study.sizes:
        for name, arm in study.arms.items():
            for point in grid(study, arm):
                yield from (run_key(name, size, seed, point) for seed in study.seeds)


def _metrics(findings: Findings) -> list[str]:
    tested = [record.test for record in findings.records if record.test]
    return list(tested[0]) if tested else []


def _cells(findings: Findings) -> Iterator[tuple[Size, str, str]]:
    for size in findings.study.sizes:
        for arm in findings.study.arms:
            for metric in _metrics(findings):
                yield size, arm, metric


def _summary(findings: Findings) -> Iterator[SummaryRow]:
    for size, arm, metric in _cells(findings):
        values = findings.values(arm, size, metric)
        if values:
            figures = summarise(np.array(list(values.values())))
            yield SummaryRow(arm=arm, size=size, metric=metric, **figures.__dict__)


def _contrasts(findings: Findings) -> Iterator[Contrast]:
    control = findings.study.control_arm
    for size, arm, metric in _cells(findings):
        if control is None or arm == control:
            continue
        mine, theirs = findings.values(arm, size, metric), findings.values(control, size, metric)
        shared = sorted(mine.keys() & theirs.keys())
        if shared:
            found = paired_difference(
                np.array([mine[s] for s in shared]),
                np.array([theirs[s] for s in shared]),
                lower_is_better=metric in LOWER_IS_BETTER,
            )
            yield Contrast(arm=arm, control=control, size=size, metric=metric, **found.__dict__)


def number(metric: str, value: float | None, *, signed: bool = False) -> str:
    """A metric's value as people write it: shares as percentages with one decimal."""
    if value is None:
        return "-"
    scaled, digits = (100 * value, 1) if metric in SHARES else (value, 3)
    return f"{scaled:{'+' if signed else ''}.{digits}f}"


def unit(metric: str) -> str:
    """What a difference of the metric is counted in."""
    return "points" if metric in SHARES else metric


def meaning(findings: Findings) -> list[str]:
    """What the study says, one sentence for each arm held against the control, at its largest size."""
    metric, size = findings.study.metric, findings.study.sizes[-1]
    rows = [c for c in findings.contrasts if c.metric == metric and c.size == size]
    sentences = [_sentence(row, findings) for row in rows] + list(_behind_words(findings, size))
    if any(row.n < 2 for row in rows):
        sentences.append("One seed says nothing about chance: run with seeds=3 or more.")
    return sentences


def _behind_words(findings: Findings, size: Size) -> Iterator[str]:
    """Tuned pretrained models that a bag of words equals or beats: worth knowing before anything else."""
    study, metric = findings.study, findings.study.metric
    means = {s.arm: s.mean for s in findings.summary if (s.size, s.metric) == (size, metric)}
    for words in (name for name, arm in study.arms.items() if arm.method == "bag-of-words" and name in means):
        for name, arm in study.arms.items():
            pretrained = arm.method != "bag-of-words" and arm.init != "random" and name in means
            if pretrained and not better(metric, means[name], means[words]):
                mine, theirs = number(metric, means[name]), number(metric, means[words])
                yield f"{name} does not beat the bag of words ({words}): {mine} against {theirs}."


def _sentence(row: Contrast, findings: Findings) -> str:
    mine, theirs = (_mean(findings, arm, row) for arm in (row.arm, row.control))
    gap = f"{number(row.metric, abs(row.difference))} {unit(row.metric)}"
    ends = f"{number(row.metric, row.low, signed=True)} to {number(row.metric, row.high, signed=True)}"
    same = "the same with every seed" if row.n > 1 else "one seed"
    interval = f" (95% interval {ends}, {row.n} seeds)" if row.low is not None else f" ({same})"
    against = f"{mine} against {theirs} {row.metric} on test"
    if row.low is None and row.n > 1 and row.difference:
        side = "above" if row.difference > 0 else "below"
        return (
            f"{row.arm} is {gap} {side} {row.control} with every seed alike, so without interval: {against}."
        )
    if row.verdict == "undecided":
        return f"Between {row.arm} and {row.control} nothing is decided: {against}{interval}."
    word = "beats" if row.verdict == "better" else "is behind"
    return f"{row.arm} {word} {row.control} by {gap}: {against}{interval}."


def _mean(findings: Findings, arm: str, row: Contrast) -> str:
    return next(
        number(row.metric, s.mean)
        for s in findings.summary
        if (s.arm, s.size, s.metric) == (arm, row.size, row.metric)
    )
