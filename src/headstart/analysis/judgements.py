"""What people judged of paired answers, as a contrast: a win rate, its interval, a verdict, agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from headstart.config.sizes import Size
from headstart.data.filled_sheets import Choice, FilledSheet
from headstart.errors import DataError
from headstart.records import SCHEMA_VERSION
from headstart.shown import Shown
from headstart.stats.verdicts import Verdict, judge
from headstart.stats.win_rates import JudgedRate, estimate_judged_rate
from headstart.store.judging_keys import JudgingKey, RowKey

#: One judge's choices by row.
Choices = Mapping[int, Choice]


@dataclass(frozen=True)
class Judge:
    """One file of choices: rows that are judged or not yet, whose answer was preferred, and how often it was
    the first, which there is no reason for to be more often than the second."""

    name: str
    judged: int
    unfinished: int
    arm: int
    control: int
    ties: int
    first: int


@dataclass(frozen=True)
class Agreement:
    """Of two judges on the rows that both judged: the share of equal choices, and Cohen's kappa (1960).

    Kappa is of what was written, 1, 2 or tie; None where both made one and the same choice throughout.
    """

    first: str
    second: str
    rows: int
    share: float
    kappa: float | None


@dataclass(frozen=True, repr=False)
class Judgements(Shown, view="headstart.report.views.comparison:JUDGEMENTS"):
    """A contrast by human choices, prompts being its units.

    Of `prompts` judged, `wins` prefer the arm's answer on average over judges, `losses` the control's, and
    `ties` neither; `equal` of these are pairs of the same answer, which were not shown. Where rows are
    `unjudged`, only as large a part of such pairs counts as of the others. `win_rate` counts ties half, with
    a 95% interval `low` to `high` over prompts; `p_sign` is of the exact sign test.
    """

    source: str
    sheet: str
    arm: str
    control: str
    size: Size
    prompts: int
    wins: int
    losses: int
    ties: int
    equal: int
    unjudged: int
    groups: int | None
    win_rate: float
    low: float | None
    high: float | None
    p_sign: float
    verdict: Verdict
    judges: tuple[Judge, ...]
    agreements: tuple[Agreement, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`; shares as they are, 0.7 and not 70."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def read_choices(filled: FilledSheet, key: JudgingKey) -> dict[int, Choice]:
    """One judge's choices by row, of the rows that are judged.

    Raises:
        DataError: a row that the sheet had not, or a text that is another than was given to judge.
    """
    known = {row.row: row for row in key.rows}
    for row in filled.rows:
        if row.row not in known:
            raise DataError(
                f"row {row.row} is not in the sheet", where=row.where, expected=f"1 to {len(known)}"
            )
        if column := row.find_changed(known[row.row].digests):
            raise DataError(
                f"{column} of row {row.row} differs from the sheet as written: it was edited, or "
                "changed by a spreadsheet program",
                where=row.where,
                expected="changes in the column choice only",
                fix="copy the choices into a fresh sheet: the same command and seed write it again",
            )
    return {row.row: row.choice for row in filled.rows if row.choice is not None}


def contrast_judgements(
    source: str, key: JudgingKey, by_judge: Mapping[str, Choices], notes: tuple[str, ...] = ()
) -> Judgements:
    """The contrast that the choices of one judge or several make.

    Raises:
        DataError: nothing is judged.
    """
    preferred = _average_judges(key, by_judge)
    if not preferred:
        raise DataError("no row is judged", where=source, expected="1, 2 or tie in the column choice")
    judged = [row for row in key.rows if row.row in preferred]
    equal = key.equal[: round(len(key.equal) * len(judged) / len(key.rows))]
    outcomes = np.array([*(preferred[row.row] for row in judged), *[0.5] * len(equal)])
    groups = [pair.group for pair in (*judged, *equal)]
    is_grouped = None not in groups
    found = estimate_judged_rate(outcomes, np.array(groups) if is_grouped else None)
    return Judgements(
        source=source,
        sheet=key.sheet,
        arm=key.arm,
        control=key.control,
        size=key.size,
        prompts=len(outcomes),
        wins=int((outcomes > 0.5).sum()),
        losses=int((outcomes < 0.5).sum()),
        ties=int((outcomes == 0.5).sum()),
        equal=len(equal),
        unjudged=len(key.rows) - len(judged),
        groups=len(set(groups)) if is_grouped else None,
        win_rate=found.rate,
        low=found.low,
        high=found.high,
        p_sign=found.p_sign,
        verdict=_judge(found),
        judges=tuple(_describe_judge(name, choices, key) for name, choices in by_judge.items()),
        agreements=tuple(_compare_judges(by_judge)),
        notes=notes,
    )


def _judge(found: JudgedRate) -> Verdict:
    """By the interval against one half."""
    low, high = (None if end is None else end - 0.5 for end in (found.low, found.high))
    return judge(low, high)


def _average_judges(key: JudgingKey, by_judge: Mapping[str, Choices]) -> dict[int, float]:
    """By row, how far the arm is preferred, from 0 to 1, on average over those who judged it."""
    found = {
        row.row: [_prefer_arm(row, choices[row.row]) for choices in by_judge.values() if row.row in choices]
        for row in key.rows
    }
    return {number: sum(values) / len(values) for number, values in found.items() if values}


def _prefer_arm(row: RowKey, choice: Choice) -> float:
    if choice == "tie":
        return 0.5
    return float((choice == "1") == (row.first == "arm"))


def _describe_judge(name: str, choices: Choices, key: JudgingKey) -> Judge:
    counts = Counter(_prefer_arm(row, choices[row.row]) for row in key.rows if row.row in choices)
    return Judge(
        name=name,
        judged=len(choices),
        unfinished=len(key.rows) - len(choices),
        arm=counts[1.0],
        control=counts[0.0],
        ties=counts[0.5],
        first=sum(choice == "1" for choice in choices.values()),
    )


def _compare_judges(by_judge: Mapping[str, Choices]) -> Iterator[Agreement]:
    """Each two that judged some row both."""
    for (first, mine), (second, theirs) in combinations(by_judge.items(), 2):
        if shared := sorted(mine.keys() & theirs.keys()):
            pair = [mine[row] for row in shared], [theirs[row] for row in shared]
            share = float(np.mean([a == b for a, b in zip(*pair, strict=True)]))
            yield Agreement(first, second, len(shared), share, _compute_kappa(*pair))


def _compute_kappa(first: Sequence[Choice], second: Sequence[Choice]) -> float | None:
    if len({*first, *second}) < 2:
        return None
    # Imported only now: it brings pandas, and of most studies nothing was judged.
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(list(first), list(second)))
