"""What tables and sentences say of runs that collapsed: marks, and that no verdict rests on them unsaid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from headstart.analysis.collapse_words import describe_cause, describe_count, give_advice
from headstart.records import Collapse, Contrast, OutcomeRow, SummaryRow

#: Behind a score of a run that collapsed, and a verdict that rests on one.
MARK: Final = "†"
_NOTE: Final = (
    f"{MARK} collapsed: nearly one answer for all texts, or a training loss that stayed at guessing"
)


def describe_collapse(collapse: Collapse | None) -> str:
    """The end of a run's line, such as `; collapsed: answers 'positive' for 300 of 300 test examples`; empty
    where it did not collapse."""
    if collapse is None:
        return ""
    n = f"{collapse.n_examples:,}"
    if collapse.reason == "one answer":
        return f"; collapsed: answers {collapse.answer} for {collapse.count:,} of {n} test examples"
    return (
        f"; collapsed: training loss ended at {collapse.loss:.3f} (guessing: {collapse.chance_loss:.3f}), "
        f"{collapse.right:,} of {n} test examples right"
    )


def mark_verdict(verdict: str, row: Contrast) -> str:
    """`better†` where the arm or its control has runs that collapsed."""
    return f"{verdict}{MARK}" if row.n_collapsed or row.n_control_collapsed else verdict


def qualify_arm(name: str, n_collapsed: int | None) -> str:
    """`random (collapsed)`: how a sentence names an arm with runs that collapsed; others as they are."""
    return f"{name} (collapsed)" if n_collapsed else name


def describe_mark(rows: Sequence[OutcomeRow]) -> str:
    """What the mark means, for a table's caption; empty where no run collapsed."""
    return _NOTE if any(row.n_collapsed for row in rows) else ""


def explain_mark(rows: Sequence[Sequence[str]]) -> str:
    """The same for a table of cells; empty where none of them is marked."""
    return _NOTE if any(cell.endswith(MARK) for row in rows[1:] for cell in row) else ""


def mark_mean(cell: str, row: SummaryRow, outcomes: Sequence[OutcomeRow]) -> str:
    """An arm's mean, marked where runs behind it collapsed."""
    dead = {(of.arm, of.size) for of in outcomes if of.n_collapsed}
    return f"{cell}{MARK}" if (row.arm, row.size) in dead else cell


def explain_collapsed(rows: Sequence[OutcomeRow], contrasts: Sequence[Contrast]) -> Iterator[str]:
    """The verdicts that rest on runs that collapsed, with why and what to try; then all other such arms.

    Arms of which the same is to be said share a sentence.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if row.collapse is None:
            continue
        verdicts = " and ".join(_list_verdicts(row, contrasts))
        meaning = _say_what_is_measured(row, rows, contrasts) if verdicts else ""
        cause = f"{describe_cause(row.collapse)}{meaning}."
        alike.setdefault((verdicts, cause, give_advice(row.collapse)), []).append(describe_count(row))
    for (verdicts, cause, advice), counts in sorted(alike.items(), key=lambda item: not item[0][0]):
        but = f"{verdicts}, but " if verdicts else ""
        yield f"{but}{'; '.join(counts)}: {cause} {advice}".rstrip()


def _list_verdicts(row: OutcomeRow, contrasts: Sequence[Contrast]) -> list[str]:
    """`minilm is better than random`, for each contrast with the arm that is decided."""
    return [
        f"{contrast.arm} is {contrast.verdict} than {contrast.control}"
        for contrast in _select_decided(row, contrasts)
    ]


def _select_decided(row: OutcomeRow, contrasts: Sequence[Contrast]) -> list[Contrast]:
    return [
        contrast
        for contrast in contrasts
        if contrast.verdict in ("better", "worse")
        and contrast.size == row.size
        and row.arm in (contrast.arm, contrast.control)
    ]


def _say_what_is_measured(row: OutcomeRow, rows: Sequence[OutcomeRow], contrasts: Sequence[Contrast]) -> str:
    """Of a random control, that the gain of pretrained arms is none of pretraining."""
    pretrained = {(of.arm, of.size) for of in rows if of.pretrained}
    is_gain = all(
        contrast.verdict == "better" and (contrast.arm, contrast.size) in pretrained
        for contrast in _select_decided(row, contrasts)
    )
    if is_gain and row.collapse is not None and row.collapse.random_init:
        return "; the gain measures the training budget, not pretraining"
    return "; the difference says nothing of what more training would give"
