"""What to know of a comparison's scores: sizes and seeds that a side lacks, spread that rounding may hide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from headstart.analysis.comparison import Comparison
from headstart.analysis.scores import ArmScores, list_shared_seeds
from headstart.records import Contrast
from headstart.report.numbers import format_margin, format_p, format_score
from headstart.wording import format_names

#: The part of a variance from which rounding's is worth a sentence.
_NOTABLE: Final = 0.01
#: Differences of equal scores differ by less.
_SAME: Final = 1e-9
#: Seeds that a sentence names.
_NAMED: Final = 10


def explain_missing_contrasts(comparison: Comparison) -> Iterator[str]:
    """Arms and sizes of which the control has no scores, so that nothing is said of them."""
    compared = {(row.arm, row.size) for row in comparison.contrasts}
    alone = [
        f"{row.arm} (size {row.size})"
        for row in comparison.summary
        if row.arm != comparison.control and (row.arm, row.size) not in compared
    ]
    if comparison.control is not None and alone:
        yield f"{format_names(alone)}: not compared, as {comparison.control} has no scores of that size."


def explain_seeds_apart(comparison: Comparison) -> Iterator[str]:
    """A sentence for each two arms that do not have the same seeds, whatever the number of their sizes."""
    by_cell = {(scores.arm, scores.size): scores for scores in comparison.scores}
    apart = defaultdict[tuple[str, str, bool], list[Contrast]](list)
    for row in comparison.contrasts:
        arm, control = by_cell.get((row.arm, row.size)), by_cell.get((row.control, row.size))
        if arm is not None and control is not None and arm.by_seed.keys() != control.by_seed.keys():
            apart[row.arm, row.control, row.n_control_seeds is None].append(row)
    for rows in apart.values():
        arm, control = (by_cell[name, rows[0].size] for name in (rows[0].arm, rows[0].control))
        yield _describe_apart(rows, arm, control, comparison)


def _describe_apart(
    rows: Sequence[Contrast], arm: ArmScores, control: ArmScores, comparison: Comparison
) -> str:
    row = rows[0]
    sizes = [str(row.size) for row in rows]
    size = "" if sizes == ["all"] else f" (size{'' if len(sizes) == 1 else 's'} {', '.join(sizes)})"
    if row.n_control_seeds is not None:
        return f"{row.arm} and {row.control}{size} are not paired, no seed in common: {_name_test(rows)}."
    shared = list_shared_seeds(arm, control)
    mine, theirs = (_average(scores.by_seed, shared) for scores in (arm, control))
    figures = f"{format_score(comparison.info, mine)} vs {format_score(comparison.info, theirs)}"
    at = f" at size {row.size}" if len(rows) > 1 else ""
    only = "; ".join(
        f"only {scores.arm} has {_name_seeds(seeds)}"
        for scores, other in ((arm, control), (control, arm))
        if (seeds := sorted(scores.by_seed.keys() - other.by_seed.keys()))
    )
    return (
        f"{row.arm} and {row.control}{size} are compared on {_name_seeds(shared)}, which both have, with "
        f"means of {figures}{at}; {only}. The means above are of all seeds."
    )


def _name_test(rows: Sequence[Contrast]) -> str:
    """What the seeds of arms that share none allow: of a single run there is no spread to compare by."""
    row = rows[0]
    counts = f"{row.n_seeds} and {row.n_control_seeds} seeds"
    if min(row.n_seeds, row.n_control_seeds or 0) < 2:
        return f"{counts}; one run has no spread, so there is no interval"
    return f"Welch's t over {counts}"


def _average(by_seed: Mapping[int, float], seeds: Sequence[int]) -> float:
    return float(np.mean([by_seed[seed] for seed in seeds]))


def _name_seeds(seeds: Sequence[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {format_names([str(seed) for seed in seeds], _NAMED)}"


def explain_rounding(comparison: Comparison) -> Iterator[str]:
    """Where differences have no spread, or one that rounding adds to, and what the sign-flip test says."""
    unit = max((scores.rounding for scores in comparison.scores), default=0.0)
    written = format_margin(comparison.info, float(f"{unit * comparison.info.points:.3g}"))
    for row in comparison.contrasts:
        if row.low is None and row.n_seeds > 1 and row.difference and row.n_control_seeds is None:
            yield _describe_no_spread(row, written)
            yield from _warn_of_copies(row, comparison.scores)
    if any(_is_notable(row, unit) for row in comparison.contrasts):
        yield f"Scores are rounded to {written}: the possible rounding error is added to their spread."


def _describe_no_spread(row: Contrast, written: str) -> str:
    differences = [of_seed.difference for of_seed in row.each_seed]
    within = f"within their rounding of {written}" if np.ptp(differences) > _SAME else "to the last digit"
    test = "" if row.p_sign_flip is None else _describe_sign_flip(row)
    return (
        f"{row.arm} differs from {row.control} by the same, {within}, with all {row.n_seeds} seeds: that "
        f"shows no spread, so there is no t interval{test}."
    )


def _warn_of_copies(row: Contrast, scores: Sequence[ArmScores]) -> Iterator[str]:
    """Where an arm's own scores do not vary either, their seeds may be one run written down again."""
    arms = [of for of in scores if of.size == row.size and of.arm in (row.arm, row.control)]
    if all(len(set(of.by_seed.values())) == 1 for of in arms):
        yield (
            f"{row.arm} and {row.control} each score the same with every seed: if these are copies of "
            "one run, they count as one run, and the test is meaningless."
        )


def _describe_sign_flip(row: Contrast) -> str:
    level = "5%" if row.n_tests == 1 else f"5% / {row.n_tests}"
    verb = "below" if row.verdict in ("better", "worse") else "not below"
    return f"; the sign-flip test's p is {format_p(row.p_sign_flip)}, {verb} {level}"


def _is_notable(row: Contrast, rounding: float) -> bool:
    """Whether rounding adds to the variance of the differences what a reader would see."""
    if row.low is None or row.test_examples is not None or len(row.each_seed) < 2:
        return False
    variance = float(np.var([of_seed.difference for of_seed in row.each_seed], ddof=1))
    return 2 * rounding**2 / 12 > _NOTABLE * variance
