"""What `headstart run --until-decided` does: adds seeds until contrasts are decided, or known closely enough.

The interval is `stats.sequential`'s, which holds however often one looks and whenever one stops; one that
takes the number of seeds as given, such as Student's, would claim too much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import count, islice
from pathlib import Path
from typing import Final

from headstart.analysis.findings import Findings
from headstart.analysis.results import Results
from headstart.commands.backends import (
    BackendName,
    Trainers,
    end_other_trainers,
    open_backend,
    prepare_backend,
)
from headstart.commands.report_at_end import write_page_at_end
from headstart.commands.run import OnBegin, ignore_begin
from headstart.config.arm_settings import get_tuning_seeds
from headstart.config.limits import MOST_SEEDS as MOST_ADDED
from headstart.config.load import require_study
from headstart.config.metrics import SHARES
from headstart.config.study import Study
from headstart.errors import HeadstartError
from headstart.events import Log, OnEvent, ignore_events, ignore_log
from headstart.execute.backend import Backend
from headstart.execute.group import refuse_follower
from headstart.execute.open_study import OpenStudy, open_study
from headstart.execute.pool import refuse_in_worker
from headstart.experiment import run_missing
from headstart.planning.placement import Placement
from headstart.records import Contrast, StoppingRule
from headstart.report.numbers import format_metric, get_unit
from headstart.stats.sequential import SequenceKind, find_min_seeds
from headstart.store.runs import RunStore
from headstart.store.study_lock import hold_study_folder

#: Where adding seeds ends by default.
MOST_SEEDS: Final = 20
#: Verdicts that more seeds are not to undo. That an arm is not worse leaves open whether it is better.
_DECIDED: Final = frozenset({"better", "worse", "no difference"})


def run_until(
    study: Study,
    width: float,
    on_event: OnEvent = ignore_events,
    log: Log = ignore_log,
    on_begin: OnBegin = ignore_begin,
    *,
    most_seeds: int = MOST_SEEDS,
    sequence: SequenceKind | None = None,
    wait: bool = False,
    backend: BackendName = "local",
    address: str | None = None,
    local_workers: bool = True,
) -> Results:
    """Run the study with ever more seeds, until every arm's contrast with the control is decided.

    It is where zero is outside its interval, or the interval lies within the study's `margin`, or is narrower
    than `width`. It begins with the study's seeds, or with as many as give an interval at all (8 for one
    contrast), and goes on with as many at a time as train at once. Seeds that are done in `study.out` count.
    No seed is added after a run that failed, but one that only chose a setting.

    Example:
        results = headstart.run_until(headstart.load_study("study.yaml"), 2.0, most_seeds=40)

    Args:
        width: than what an interval is narrow enough: points for shares, else the metric's unit.
        on_event: as in `run`.
        log: as in `run`; also told after each round what is decided, and how wide the widest interval is.
        on_begin: as in `run`, at the beginning of each round.
        most_seeds: where it ends in any case.
        sequence: what the interval is made by: `signs` by default, which assume no law, or `t`, which takes
            differences to be normal and needs fewer seeds. It stays the folder's.
        wait, backend, address, local_workers: as in `run`.

    Raises:
        HeadstartError: as `run`; there is no contrast, the width is not above zero, so few seeds give no
            interval, or the folder's seeds were added by the other sequence.
    """
    require_study(study)
    refuse_in_worker()
    refuse_follower()
    trainers = Trainers(backend, address, local_workers)
    prepare_backend(study, trainers)
    _count_contrasts(study)  # what can never be decided touches no folder
    with hold_study_folder(Path(study.out), wait=wait, log=log) as fence:
        rule, seeds = _choose_rule(study, width, most_seeds, sequence)
        end_other_trainers(Path(study.out), trainers, wait=wait, log=log)
        opened = open_study(study.model_copy(update={"seeds": seeds}), log, rule, fence)
        with open_backend(opened, trainers, log) as (opened, opened_backend):
            results = _add_seeds(opened, rule, opened_backend, on_event, on_begin)
        return write_page_at_end(results, log, opened)


def _add_seeds(
    opened: OpenStudy, rule: StoppingRule, backend: Backend, on_event: OnEvent, on_begin: OnBegin
) -> Results:
    """Run the study, and again with more seeds, until the rule ends it."""
    placement: Placement | None = None
    while True:
        on_begin(len(opened.missing) + len(opened.to_come))
        results = run_missing(opened, backend, on_event, placement)
        placement, study = results.placement, opened.study
        opened.log(_describe_round(results.findings, rule))
        # Of runs that only choose some may fail; where all did, nothing can be judged.
        failed = [record for record in results.findings.failed if not record.for_tuning]
        has_failed = bool(failed or opened.to_come)
        left = rule.most_seeds - len(study.seeds)
        if has_failed or is_decided(results.findings, rule) or left <= 0:
            return results
        more = _choose_more(study, study.seeds, min(_count_at_once(placement, study), left))
        opened = opened.with_seeds((*study.seeds, *more))


def _choose_rule(
    study: Study, width: float, most_seeds: int, wanted: SequenceKind | None
) -> tuple[StoppingRule, tuple[int, ...]]:
    """When adding seeds ends, and the seeds that it begins with."""
    contrasts, sequence = _count_contrasts(study), _choose_sequence(study, wanted)
    fewest = find_min_seeds(contrasts, sequence=sequence)
    _check_rule(width, most_seeds, fewest, contrasts)
    rule = StoppingRule(metric=study.metric, width=width, most_seeds=most_seeds, sequence=sequence)
    return rule, _choose_first_seeds(study, fewest)


def _choose_first_seeds(study: Study, fewest: int) -> tuple[int, ...]:
    """The study's seeds, those that its folder has, and more where these give no interval."""
    seeds = tuple(dict.fromkeys((*study.seeds, *RunStore(Path(study.out)).read_seeds())))
    return seeds + _choose_more(study, seeds, fewest - len(seeds))


def _choose_sequence(study: Study, wanted: SequenceKind | None) -> SequenceKind:
    """The one asked for, or the folder's. Whoever could choose by the results would err twice as often."""
    earlier = RunStore(Path(study.out)).read_stopping_rule()
    if earlier is None:
        return wanted or "signs"
    if wanted not in (None, earlier.sequence):
        raise HeadstartError(
            f"{wanted}, but seeds were added with {earlier.sequence} before",
            where=f"--sequence, {study.out}",
            expected=f"{earlier.sequence}: it must be chosen before there are results",
            fix="name another folder: out=FOLDER",
        )
    return earlier.sequence


def _check_rule(width: float, most_seeds: int, fewest: int, contrasts: int) -> None:
    if not 0 < width < math.inf:
        raise HeadstartError(f"{width:g} points", where="--until-decided", expected="more than 0, and finite")
    if most_seeds > MOST_ADDED:
        raise HeadstartError(str(most_seeds), where="--most-seeds", expected=f"{MOST_ADDED:,} at most")
    if most_seeds < fewest:
        what = "contrast" if contrasts == 1 else "contrasts"
        raise HeadstartError(
            f"{most_seeds} seeds give no interval",
            where="--most-seeds",
            expected=f"{fewest} or more, for {contrasts} {what} with the control",
        )


def _count_contrasts(study: Study) -> int:
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


def _choose_more(study: Study, seeds: Iterable[int], wanted: int) -> tuple[int, ...]:
    """The next seeds, from 0, that are neither in use nor choose settings."""
    used = {*seeds, *(seed for arm in study.arms.values() for seed in get_tuning_seeds(study, arm))}
    return tuple(islice((seed for seed in count() if seed not in used), max(0, wanted)))


def _count_at_once(placement: Placement | None, study: Study) -> int:
    """How many seeds fill the processes and packs that train side by side."""
    if placement is None:
        return 1
    runs = max(1, placement.workers) * placement.pack
    return max(1, runs // max(1, len(study.arms) * len(study.sizes)))


def select_decided(findings: Findings) -> list[Contrast]:
    """The contrasts that the rule is about."""
    return [row for row in findings.contrasts if row.metric == findings.study.metric]


def is_decided(findings: Findings, rule: StoppingRule) -> bool:
    """Whether each contrast is."""
    rows = select_decided(findings)
    return bool(rows) and all(_is_settled(row, rule) for row in rows)


def _is_settled(row: Contrast, rule: StoppingRule) -> bool:
    """Whether zero is outside of its interval, or this lies within the margin, or is narrow."""
    width = _measure_width(row)
    return row.verdict in _DECIDED or (width is not None and width < rule.width)


def _measure_width(row: Contrast) -> float | None:
    """In points for shares."""
    if row.sequence_low is None or row.sequence_high is None:
        return None
    return (row.sequence_high - row.sequence_low) * (100 if row.metric in SHARES else 1)


def _describe_round(findings: Findings, rule: StoppingRule) -> str:
    """How far it has come, by the widest interval of a contrast that is not decided, or else of all."""
    seeds, rows = len(findings.study.seeds), select_decided(findings)
    known = [row for row in rows if _measure_width(row) is not None]
    if not known:
        return f"{seeds} seeds: no interval yet"
    open_rows = [row for row in rows if not _is_settled(row, rule)]
    widest = max(
        [row for row in known if row in open_rows] or known, key=lambda row: _measure_width(row) or 0.0
    )
    ends = " to ".join(
        format_metric(widest.metric, end, signed=True) for end in (widest.sequence_low, widest.sequence_high)
    )
    size = "" if widest.size == "all" else f" (size {widest.size})"
    which = "the widest undecided interval" if open_rows else "the widest interval"
    decided = f"{len(rows) - len(open_rows)} of {len(rows)} decided"
    wanted = f"; target: narrower than {rule.width:g}" if open_rows else ""
    if open_rows and widest.limiting_factor == "examples":
        wanted += ", where test examples are the limiting factor: more seeds help little"
    return (
        f"{seeds} seeds, {decided}: {which}, {widest.arm} vs {widest.control}{size}, is {ends}, "
        f"{_measure_width(widest):.3g} {get_unit(widest.metric)} wide{wanted}"
    )
