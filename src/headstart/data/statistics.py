"""What texts and labels look like in numbers, before anything trains: counts, lengths, and a histogram."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from headstart.data.corpus import PARTS, Corpus, Examples
from headstart.data.tokenise import Tokens

#: Bars of a histogram, at most.
BINS: Final = 10
_QUANTILES: Final = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "p95": 0.95, "max": 1.0}


def label_summary(corpus: Corpus) -> dict[str, Any]:
    """How often each label stands in each part; of a regression, the labels' quantiles; else nothing.

    Gives `counts` {label: {part: texts}}, for multi-label also `labels_a_text` {part: mean}; or `numbers`
    {part: {quantile: value}} with `histogram` of the training labels.
    """
    if corpus.task == "regression":
        values = corpus.parts["train"].labels
        numbers = {part: _quantiles(corpus.parts[part].labels) for part in PARTS}
        return {"numbers": numbers, "histogram": histogram(values)}
    if not corpus.label_names:
        return {}
    by_part = {part: _counts(corpus.parts[part], corpus) for part in PARTS}
    counts = {name: {p: int(by_part[p][i]) for p in PARTS} for i, name in enumerate(corpus.label_names)}
    if corpus.task != "multi-label":
        return {"counts": counts}
    means = {part: float(corpus.parts[part].labels.sum(1).mean()) for part in PARTS}
    return {"counts": counts, "labels_a_text": means}


def _counts(examples: Examples, corpus: Corpus) -> np.ndarray:
    """Texts of each class, [C]."""
    if corpus.task == "multi-label":
        return np.asarray(examples.labels.sum(0), np.int64)
    return np.bincount(examples.labels, minlength=len(corpus.label_names))


def length_summary(parts: dict[Any, Tokens], limit: int) -> dict[str, Any]:
    """Tokens of a text: `mean`, quantiles and `cut` for each part, and a `histogram` of the training texts.

    A text that was cut counts with the `limit` tokens that are left of it.
    """
    lengths = {part: tokens.lengths for part, tokens in parts.items()}
    numbers = {
        part: {"mean": float(own.mean()), "cut": int(parts[part].truncated), **_quantiles(own)}
        for part, own in lengths.items()
    }
    return {"limit": limit, "parts": numbers, "histogram": histogram(lengths["train"])}


def _quantiles(values: np.ndarray) -> dict[str, float]:
    found = np.quantile(values, list(_QUANTILES.values()))
    return dict(zip(_QUANTILES, map(float, found), strict=True))


def histogram(values: np.ndarray, bins: int = BINS) -> list[dict[str, float]]:
    """At most `bins` bars of one width: {`from`, `to`, `count`}, whole numbers in bars of whole widths.

    A value stands in the bar with from <= value < to; the last bar may be narrower, and of numbers that are
    not whole it holds its upper end too.
    """
    low, high = values.min(), values.max()
    if np.issubdtype(values.dtype, np.integer):
        width = max(1, -(-(int(high) - int(low) + 1) // bins))
        edges = np.append(np.arange(int(low), int(high) + 1, width, dtype=float), float(high) + 1)
    else:
        edges = np.linspace(float(low), float(high), bins + 1)
    counts, edges = np.histogram(values, edges)
    return [
        {"from": float(start), "to": float(stop), "count": int(count)}
        for start, stop, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
