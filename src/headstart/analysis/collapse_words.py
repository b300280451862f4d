"""Warnings about arms whose runs collapsed, with what to try: words that `--json` and a terminal share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from headstart.records import CollapsedArm, OutcomeRow, StudyWarning
from headstart.wording import format_count

#: Rates below are written with an exponent.
_SMALL: Final = 1e-3


def warn_of_collapsed(rows: Sequence[OutcomeRow]) -> Iterator[StudyWarning]:
    """One warning for each arm and size with runs that collapsed."""
    for row in rows:
        if row.collapse is not None:
            message = f"{describe_count(row)}: {describe_cause(row.collapse)}."
            if advice := give_advice(row.collapse):
                message += f" {advice}"
            yield StudyWarning(kind="collapsed", message=message)


def describe_count(row: OutcomeRow) -> str:
    """`random collapsed in 3 of 3 runs (always 'positive')`; of one size among several with that."""
    size = "" if row.size == "all" else f" with {row.size:,} training examples"
    runs = format_count(row.n_runs - row.n_failed, "run")
    answer = "" if row.collapse is None else _name_answer(row.collapse)
    return f"{row.arm} collapsed in {row.n_collapsed} of {runs}{size}{answer}"


def _name_answer(collapse: CollapsedArm) -> str:
    if collapse.answer_share is None:
        return " (training loss at guessing)"
    always = "always" if collapse.answer_share == 1 else "almost always"
    return f" ({always} {collapse.answer or 'one answer, but not the same in each'})"


def describe_cause(collapse: CollapsedArm) -> str:
    """What came of which training, without a stop; fit for one arm and for several."""
    if collapse.learning_rate is None:
        return "no better than one answer for all texts"
    steps = "" if collapse.steps is None else f"after {format_count(collapse.steps, 'step')} "
    rate = format_rate(collapse.learning_rate)
    if collapse.rate_is_high:
        return f"{steps}at learning rate {rate} nothing was learnt, and that rate is high for this method"
    return f"{steps}at learning rate {rate} nothing has been learnt yet"


def give_advice(collapse: CollapsedArm) -> str:
    """A sentence that says which settings to try; empty where none is known to help."""
    tried = []
    if collapse.try_epochs is not None:
        tried.append(f"training.epochs={collapse.try_epochs}")
    if collapse.try_steps is not None:
        tried.append(f"training.steps={collapse.try_steps}")
    if collapse.try_rates:
        tried.append(f"tune: {{learning_rate: [{', '.join(map(format_rate, collapse.try_rates))}]}}")
    return f"Try {' or '.join(tried)}." if tried else ""


def format_rate(rate: float) -> str:
    """`1e-5`, as people write it."""
    mantissa, exponent = f"{rate:.1e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}" if 0 < rate < _SMALL else f"{rate:g}"
