"""What examples and labels look like in numbers, before anything trains: counts, lengths, and a histogram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headstart.data.corpus import PARTS, Corpus, Part
from headstart.data.distributions import Bar, compute_histogram, compute_quantiles
from headstart.data.labels.base import LabelStatistics
from headstart.data.labels.registry import get_label_type
from headstart.data.tokenise import Tokens


@dataclass(frozen=True)
class PartLengths:
    """Tokens an example in one part: mean and quantiles; how many examples were cut."""

    mean: float
    truncated: int
    quantiles: dict[str, float]


@dataclass(frozen=True)
class LengthStatistics:
    """Tokens an example, of at most `limit`: an example that was cut counts with what is left of it.

    The `histogram` is of the training examples.
    """

    limit: int
    parts: dict[Part, PartLengths]
    histogram: tuple[Bar, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        parts = {
            part: {"mean": lengths.mean, "cut": lengths.truncated, **lengths.quantiles}
            for part, lengths in self.parts.items()
        }
        return {
            "limit": self.limit,
            "parts": parts,
            "histogram": [bar.to_dict() for bar in self.histogram],
        }


def summarise_labels(corpus: Corpus) -> LabelStatistics:
    """How often each label stands in each part, or how numbers are distributed."""
    labels = {part: corpus.parts[part].labels for part in PARTS}
    return get_label_type(corpus.task).summarise(labels, corpus.label_names)


def summarise_lengths(parts: Mapping[Part, Tokens], limit: int) -> LengthStatistics:
    """Tokens an example, of all parts."""
    lengths = {
        part: PartLengths(
            mean=float(tokens.lengths.mean()),
            truncated=tokens.truncated,
            quantiles=compute_quantiles(tokens.lengths),
        )
        for part, tokens in parts.items()
    }
    return LengthStatistics(limit, lengths, compute_histogram(parts["train"].lengths))
