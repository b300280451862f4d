"""Adds seeds to a study until its contrasts are known closely enough, or there are as many as were allowed.

The interval is `stats.confidence_sequence`'s, which holds however often one looks and whenever one stops;
one that takes the number of seeds as given, such as Student's, would claim too much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

from headstart.analysis.findings import Findings
from headstart.config.metrics import SHARES
from headstart.config.study import Study
from headstart.errors import HeadstartError
from headstart.execute.crew import Crew
from headstart.experiment import Results, Say, carry_on
from headstart.records import Contrast, StoppingRule
from headstart.report.numbers import number, unit
from headstart.stats.confidence_sequence import min_seeds
from headstart.store.runs import RunStore

MOST_SEEDS: Final = 20


def run_until(
    study: Study,
    width: float,
    *,
    most_seeds: int = MOST_SEEDS,
    watch: Callable[[int, str], Any] | None = None,
    say: Say = lambda _: None,
) -> Results:
    """Run the study with ever more seeds, until every arm's interval against the control is narrow enough.

    It begins with the study's seeds, or with as many as give an interval at all (7 for one contrast), and
    goes on with as many at a time as train at once. Seeds that are done in `study.out` count. No seed is
    added after a run that failed.

    Args:
        width: what an interval is to be narrower than: points for shares, else the metric's unit.
        most_seeds: where it ends in any case.
        watch: as in `experiment.run`.
        say: is told after each round how wide the widest interval is.

    Raises:
        HeadstartError: as `experiment.run`; there is no contrast, the width is not above zero, or so few
            seeds give no interval.
    """
    tests = _contrasts_of(study)
    first = min_seeds(tests)
    _check(width, most_seeds, first, tests)
    rule = StoppingRule(metric=study.metric, width=width, most_seeds=most_seeds)
    seeds = list(dict.fromkeys((*study.seeds, *RunStore(Path(study.out)).seeds())))
    seeds += _more(seeds, first - len(seeds))
    crew: Crew | None = None
    while True:
        grown = study.model_copy(update={"seeds": tuple(seeds)})
        results = carry_on(grown, watch, until=rule, crew=crew)
        crew = results.crew
        say(_news(results.findings, rule))
        if results.findings.failed or is_decided(results.findings, rule) or len(seeds) >= most_seeds:
            return results
        seeds += _more(seeds, min(_at_once(crew, study), most_seeds - len(seeds)))


def _check(width: float, most_seeds: int, first: int, tests: int) -> None:
    if not width > 0:
        raise HeadstartError(f"{width:g} points", where="--until-decided", expected="more than 0")
    if most_seeds < first:
        what = "contrast" if tests == 1 else "contrasts"
        raise HeadstartError(
            f"{most_seeds} seeds give no interval",
            where="--most-seeds",
            expected=f"{first} or more, for {tests} {what} with the control",
        )


def _contrasts_of(study: Study) -> int:
    """How many contrasts of the metric the study makes."""
    others = len(study.arms) - 1
    if study.control_arm is None or not others:
        raise HeadstartError(
            "the study compares no arm with a control: nothing can be decided",
            where="--until-decided",
            expected="two arms, one of them the control",
            fix="name it: control: ARM",
        )
    return others * len(study.sizes)


def _more(seeds: Iterable[int], wanted: int) -> list[int]:
    """The next unused seeds, from 0."""
    used = set(seeds)
    return list(islice((seed for seed in count() if seed not in used), max(0, wanted)))


def _at_once(crew: Crew | None, study: Study) -> int:
    """How many seeds fill the processes and packs that train side by side."""
    if crew is None:
        return 1
    runs = max(1, crew.workers) * crew.pack
    return max(1, runs // max(1, len(study.arms) * len(study.sizes)))


def contrasts_decided(findings: Findings) -> list[Contrast]:
    """The contrasts that the rule is about."""
    return [row for row in findings.contrasts if row.metric == findings.study.metric]


def is_decided(findings: Findings, rule: StoppingRule) -> bool:
    """Whether each contrast has an interval that is narrow enough."""
    widths = [_width(row) for row in contrasts_decided(findings)]
    return bool(widths) and all(width is not None and width < rule.width for width in widths)


def _width(row: Contrast) -> float | None:
    """In points for shares."""
    if row.sequence_low is None or row.sequence_high is None:
        return None
    return (row.sequence_high - row.sequence_low) * (100 if row.metric in SHARES else 1)


def _news(findings: Findings, rule: StoppingRule) -> str:
    """How far it has come, by the widest interval."""
    seeds = len(findings.study.seeds)
    known = [(width, row) for row in contrasts_decided(findings) if (width := _width(row)) is not None]
    if not known:
        return f"{seeds} seeds: no interval yet"
    width, row = max(known, key=lambda pair: pair[0])
    ends = " to ".join(number(row.metric, end, signed=True) for end in (row.sequence_low, row.sequence_high))
    size = "" if row.size == "all" else f" (size {row.size})"
    verb = "decided" if is_decided(findings, rule) else "undecided"
    return (
        f"{seeds} seeds, {verb}: the widest interval, {row.arm} against {row.control}{size}, is {ends}, "
        f"{width:.3g} {unit(row.metric)} wide; narrower than {rule.width:g} wanted"
    )
