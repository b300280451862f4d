"""What examples and labels look like in numbers, before anything trains: counts, lengths, and histograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from headstart.data.corpus import PARTS, Corpus, Examples, Part
from headstart.data.tokenise import Tokens

#: Bars of a histogram, at most.
BINS: Final = 10


@dataclass(frozen=True)
class Bar:
    """How many values lie from `start` to below `stop`."""

    start: float
    stop: float
    count: int

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"from": self.start, "to": self.stop, "count": self.count}


@dataclass(frozen=True)
class Quantiles:
    """The values below which 0, 25, 50, 75, 95 and 100% lie."""

    min: float
    q25: float
    median: float
    q75: float
    p95: float
    max: float


_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class LabelCounts:
    """Examples of each label by part; for sets of labels also how many an example has on average."""

    counts: dict[str, dict[Part, int]]
    labels_per_example: dict[Part, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        means = self.labels_per_example
        return {"counts": self.counts} | ({"labels_a_text": means} if means is not None else {})


@dataclass(frozen=True)
class LabelNumbers:
    """Quantiles of a regression's labels by part, and a histogram of the training labels."""

    parts: dict[Part, Quantiles]
    histogram: tuple[Bar, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "numbers": {part: asdict(quantiles) for part, quantiles in self.parts.items()},
            "histogram": [bar.to_dict() for bar in self.histogram],
        }


LabelStatistics = LabelCounts | LabelNumbers


@dataclass(frozen=True)
class PartLengths:
    """Tokens of an example: mean and quantiles; `cut` examples were longer than the limit."""

    mean: float
    cut: int
    quantiles: Quantiles


@dataclass(frozen=True)
class LengthStatistics:
    """Tokens of examples by part, for one tokenizer and limit, with a histogram of the training examples.

    An example that was cut counts with the `limit` tokens that are left of it.
    """

    tokenizer: str
    limit: int
    parts: dict[Part, PartLengths]
    histogram: tuple[Bar, ...]

    @property
    def name(self) -> str:
        """The tokenizer's, with the limit."""
        return f"{self.tokenizer} (at most {self.limit})"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "limit": self.limit,
            "parts": {
                part: {"mean": lengths.mean, "cut": lengths.cut, **asdict(lengths.quantiles)}
                for part, lengths in self.parts.items()
            },
            "histogram": [bar.to_dict() for bar in self.histogram],
        }


@dataclass(frozen=True)
class DataStatistics:
    """Examples by part, the labels' names and statistics (None for a task without labels), and lengths."""

    task: str
    examples: dict[Part, int]
    label_names: tuple[str, ...]
    labels: LabelStatistics | None
    lengths: tuple[LengthStatistics, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "task": self.task,
            "texts": self.examples,
            "labels": list(self.label_names),
            "label_statistics": self.labels.to_dict() if self.labels else {},
            "tokens": {of.name: round(of.parts["train"].mean, 1) for of in self.lengths},
            "lengths": {of.name: of.to_dict() for of in self.lengths},
        }


def describe_data(corpus: Corpus, tokens: Mapping[tuple[str, int], Mapping[Part, Tokens]]) -> DataStatistics:
    """The statistics of a corpus; `tokens` are by (checkpoint, token limit)."""
    return DataStatistics(
        task=corpus.task,
        examples={part: len(corpus.parts[part]) for part in PARTS},
        label_names=corpus.label_names,
        labels=describe_labels(corpus),
        lengths=tuple(describe_lengths(name, limit, parts) for (name, limit), parts in tokens.items()),
    )


def describe_labels(corpus: Corpus) -> LabelStatistics | None:
    """How often each label stands in each part, or how a regression's labels lie; None without labels."""
    if corpus.task == "regression":
        quantiles = {part: _compute_quantiles(corpus.parts[part].labels) for part in PARTS}
        return LabelNumbers(quantiles, compute_histogram(corpus.parts["train"].labels))
    if not corpus.label_names:
        return None
    of_part = {part: _count_labels(corpus.parts[part], corpus) for part in PARTS}
    counts = {name: {p: int(of_part[p][i]) for p in PARTS} for i, name in enumerate(corpus.label_names)}
    if corpus.task != "multi-label":
        return LabelCounts(counts)
    return LabelCounts(counts, {part: float(corpus.parts[part].labels.sum(1).mean()) for part in PARTS})


def _count_labels(examples: Examples, corpus: Corpus) -> np.ndarray:
    """Examples of each class, [C]."""
    if corpus.task == "multi-label":
        return np.asarray(examples.labels.sum(0), np.int64)
    return np.bincount(examples.labels, minlength=len(corpus.label_names))


def describe_lengths(tokenizer: str, limit: int, parts: Mapping[Part, Tokens]) -> LengthStatistics:
    """How long examples are in the tokens of one tokenizer, of which `limit` are kept."""
    of_part = {
        part: PartLengths(
            float(tokens.lengths.mean()), int(tokens.truncated), _compute_quantiles(tokens.lengths)
        )
        for part, tokens in parts.items()
    }
    return LengthStatistics(tokenizer, limit, of_part, compute_histogram(parts["train"].lengths))


def _compute_quantiles(values: np.ndarray) -> Quantiles:
    return Quantiles(*map(float, np.quantile(values, _SHARES)))


def compute_histogram(values: np.ndarray, bins: int = BINS) -> tuple[Bar, ...]:
    """At most `bins` bars of one width, whole numbers in bars of whole widths.

    The last bar may be narrower, and of numbers that are not whole it holds its upper end too.
    """
    low, high = values.min(), values.max()
    if np.issubdtype(values.dtype, np.integer):
        width = max(1, -(-(int(high) - int(low) + 1) // bins))
        edges = np.append(np.arange(int(low), int(high) + 1, width, dtype=float), float(high) + 1)
    else:
        edges = np.linspace(float(low), float(high), bins + 1)
    counts, edges = np.histogram(values, edges)
    return tuple(
        Bar(float(start), float(stop), int(count))
        for start, stop, count in zip(edges[:-1], edges[1:], counts, strict=True)
    )
