"""Turns the verdict of a contrast into an exit code, for pipelines that stop where a model got worse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from headstart.analysis.comparison import Comparison
from headstart.errors import HeadstartError
from headstart.stats.verdicts import Verdict

#: Exit codes; 1 and 2 are those of runs that failed and of mistakes.
EXIT_CODES: Final[Mapping[Verdict, int]] = {
    "better": 0,
    "no difference": 0,
    "not worse": 0,
    "undecided": 3,
    "worse": 4,
}


@dataclass(frozen=True)
class Gate:
    """The arm whose contrasts are judged, their gravest verdict, and its exit code."""

    arm: str
    control: str
    verdict: Verdict
    exit_code: int


def judge_gate(comparison: Comparison, arm: str | None = None) -> Gate:
    """The gate of the only contrast, or of those of `arm`, of which with several sizes the gravest counts.

    Raises:
        HeadstartError: there is no contrast; or there are several and no arm is named, or one that has none.
    """
    rows = [] if comparison.tiers else list(comparison.contrasts)
    arms = list(dict.fromkeys(row.arm for row in rows))
    if arm is not None:
        rows = [row for row in rows if row.arm == arm]
    if not rows or len({row.arm for row in rows}) > 1:
        raise HeadstartError(
            f"{arm!r} is not an arm with a contrast" if arm else f"{len(rows)} contrasts of {len(arms)} arms",
            where="--gate",
            expected="one arm that is compared with a control",
            fix=f"--arm with one of {', '.join(arms)}" if arms else "--control NAME and --arm NAME",
        )
    gravest = max(rows, key=lambda row: EXIT_CODES[row.verdict])
    return Gate(gravest.arm, gravest.control, gravest.verdict, EXIT_CODES[gravest.verdict])
