"""Findings in sentences a person can repeat; every figure in them stands in the tables too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headstart.config.metrics import better
from headstart.config.study import Size
from headstart.records import Contrast, Until, WorthRow
from headstart.report.findings import Findings
from headstart.report.numbers import number, unit, worth_interval, worth_number

#: What its coverage by simulation shows (docs/statistics.md).
TWO_SEEDS: Final = (
    "Two seeds are few: where seeds differ much, a 95% interval of two holds in 88%. "
    "Run with seeds=3 or more."
)


def meaning(findings: Findings) -> list[str]:
    """What the study says, one sentence for each arm held against the control, at its largest size."""
    metric, size = findings.study.metric, findings.study.sizes[-1]
    rows = [c for c in findings.contrasts if c.metric == metric and c.size == size]
    sentences = [_sentence(row, findings) for row in rows] + list(_behind_words(findings, size))
    sentences += [_worth(row) for row in findings.label_worth if row.size == findings.study.sizes[0]]
    if any(row.n < 2 for row in rows):
        sentences.append("One seed says nothing about chance: run with seeds=3 or more.")
    elif any(row.n == 2 for row in rows):
        sentences.append(TWO_SEEDS)
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


def _worth(row: WorthRow) -> str:
    """What an arm's fewest labels are worth."""
    score = number(row.metric, row.score)
    ends = worth_interval(row)
    interval = f" (95% {ends})" if ends != "-" else ""
    needs = f"{row.control} needs {worth_number(row, 'worth')} for that{interval}"
    return f"{row.arm} with {row.at:,} labels: {row.metric} {score}; {needs}."


def _sentence(row: Contrast, findings: Findings) -> str:
    mine, theirs = (_mean(findings, arm, row) for arm in (row.arm, row.control))
    gap = f"{number(row.metric, abs(row.difference))} {unit(row.metric)}"
    against = f"{mine} against {theirs} {row.metric} on test"
    interval = f" ({_interval(row, findings)})"
    if row.low is None and row.n > 1 and row.difference:
        side = "above" if row.difference > 0 else "below"
        return (
            f"{row.arm} is {gap} {side} {row.control} with every seed alike, so without interval: {against}."
        )
    if row.verdict == "undecided":
        return f"Between {row.arm} and {row.control} nothing is decided: {against}{interval}."
    word = "beats" if row.verdict == "better" else "is behind"
    return f"{row.arm} {word} {row.control} by {gap}: {against}{interval}."


def _interval(row: Contrast, findings: Findings) -> str:
    """The interval that the verdict rests on, in words."""
    low, high = interval(row, findings.until)
    ends = f"{number(row.metric, low, signed=True)} to {number(row.metric, high, signed=True)}"
    if findings.until is not None:
        return f"95% at any number of seeds {ends}, {row.n} seeds" if low is not None else f"{row.n} seeds"
    if low is None:
        return "the same with every seed" if row.n > 1 else "one seed"
    over = f"{row.n} seeds and {row.texts:,} texts" if row.texts else f"{row.n} seeds"
    return f"95% interval {ends}, {over}{_corrected(row)}"


def _corrected(row: Contrast) -> str:
    """Why an interval without zero decides nothing: it is one of several."""
    is_clear = row.low is not None and row.high is not None and not row.low <= 0 <= row.high
    if not is_clear or row.verdict != "undecided":
        return ""
    return f"; p {row.corrected:.3f} corrected for the number of comparisons"


def interval(row: Contrast, until: Until | None) -> tuple[float | None, float | None]:
    """The ends that hold: of the sequence where seeds were added until something was seen."""
    return (row.low, row.high) if until is None else (row.sequence_low, row.sequence_high)


def _mean(findings: Findings, arm: str, row: Contrast) -> str:
    return next(
        number(row.metric, s.mean)
        for s in findings.summary
        if (s.arm, s.size, s.metric) == (arm, row.size, row.metric)
    )
