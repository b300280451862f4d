"""Metrics of generated answers against reference responses: exact match, chrF, and share that ended."""

from __future__ import annotations

from collections.abc import Sequence

from sacrebleu.metrics import CHRF

from headstart.engine.generate import Answer
from headstart.records import Scores


def score_answers(answers: Sequence[Answer], expected: Sequence[str]) -> Scores:
    """Exact match (share), chrF2 (0 to 100; Popovic 2015, by sacrebleu) and share that stopped; none of none.

    White space at the ends does not count.
    """
    if not answers:
        return {}
    texts = [answer.text for answer in answers]
    return {
        "exact_match": sum(a == b.strip() for a, b in zip(texts, expected, strict=True)) / len(answers),
        "chrf": CHRF().corpus_score(texts, [list(expected)]).score,
        "stopped": sum(answer.stopped for answer in answers) / len(answers),
    }
