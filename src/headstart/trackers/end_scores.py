"""What of a run's figures is known at its end alone: those that none of its epochs brought."""

from __future__ import annotations

from typing import Final, Literal

from headstart.records import RunRecord, Scores

_PARTS: Final[tuple[Literal["valid", "test"], ...]] = ("valid", "test")


def find_end_scores(record: RunRecord) -> dict[str, Scores]:
    """By part: the test where no curve is drawn of it, what a language model's answers are worth, and all of
    a run without training. A part without any is left out."""
    found = {part: _select_new(record, part) for part in _PARTS}
    return {part: scores for part, scores in found.items() if scores}


def _select_new(record: RunRecord, part: Literal["valid", "test"]) -> Scores:
    scores: Scores = getattr(record, part) or {}
    known = {name for epoch in record.epochs for name in getattr(epoch, part) or {}}
    return {name: value for name, value in scores.items() if name not in known}
