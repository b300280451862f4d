"""Metrics of generated answers against references: exact match, chrF, token F1, and share that ended."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.engine.generate import Answer
from headstart.records import Scores
from headstart.stats.answers import compute_chrf, measure_answers


def score_answers(answers: Sequence[Answer], expected: Sequence[str]) -> Scores:
    """Exact match (share), chrF2 (0 to 100, of the corpus; Popović 2015), SQuAD's token F1 (mean, 0 to 1) and
    share that stopped; none of none.

    White space at the ends does not count.
    """
    if not answers:
        return {}
    measures = measure_answers([answer.text for answer in answers], expected)
    return {
        "exact_match": float(measures.exact_match.mean()),
        "chrf": float(compute_chrf(measures.chrf_counts.sum(0))),
        "token_f1": float(measures.token_f1.mean()),
        "stopped": sum(answer.stopped for answer in answers) / len(answers),
    }
