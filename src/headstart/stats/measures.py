"""Metrics as functions of the test examples, for the bootstrap and the jackknife.

The formulas are those of `stats.metrics`. Shapes: N examples, C classes, D resamples, K sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from scipy import sparse

from headstart.stats.metrics import (
    CLASS_METRICS,
    LABEL_METRICS,
    TOKEN_METRICS,
    Formula,
    correlation,
    products,
    root_mean_square,
)

#: Rows of sums that are held at a time.
_ROWS: Final = 1 << 12
#: Columns that are multiplied at once, and classes above which a table of mostly zeros is kept sparse.
_COLUMNS: Final = 512
_FEW_CLASSES: Final = 20

#: A measure's place, its parts [N, K] and its formula of their sums.
_DenseSums = tuple[int, np.ndarray, Formula]


class ExampleMetric(Protocol):
    """One model's metric on N examples."""

    def on_resamples(self, counts: np.ndarray) -> np.ndarray:
        """The metric [D] where example n is there counts[d, n] times; `counts` is [D, N]."""

    @property
    def by_example(self) -> np.ndarray | None:
        """Parts [N] whose mean is the metric; None where it has none."""


@dataclass(frozen=True)
class MeanMeasure:
    """A metric that is the mean of `by_example` [N]: right or wrong, a loss, an error."""

    by_example: np.ndarray

    @property
    def parts(self) -> np.ndarray:
        """[N, 1], of whose sum the metric is the `formula`, as in `SumsMeasure`."""
        return self.by_example[:, None]

    def formula(self, sums: np.ndarray) -> np.ndarray:
        """The mean, of sums [..., 1] over as many examples as there are."""
        return np.asarray(sums[..., 0] / len(self.by_example))

    def on_resamples(self, counts: np.ndarray) -> np.ndarray:
        """As `ExampleMetric`."""
        return self.formula(counts @ self.parts)


@dataclass(frozen=True)
class SumsMeasure:
    """A metric that is a `formula` of sums [..., K] over examples of `parts` [N, K]."""

    parts: np.ndarray | sparse.csr_array
    formula: Formula

    def on_resamples(self, counts: np.ndarray) -> np.ndarray:
        """As `ExampleMetric`."""
        return self.formula(np.asarray((self.parts.T @ counts.T).T))

    @cached_property
    def by_example(self) -> np.ndarray:
        """Jackknife pseudo-values, N m - (N - 1) m without the example, moved so that their mean is m.

        Tukey 1958; for tables of readers and cases Dorfman, Berbaum & Metz 1992.
        """
        n = self.parts.shape[0]
        total = np.asarray(self.parts.sum(0)).ravel()
        without = np.concatenate(
            [self.formula(total - _densify(self.parts[i : i + _ROWS])) for i in range(0, n, _ROWS)]
        )
        metric = float(self.formula(total))
        pseudo = n * metric - (n - 1) * without
        return np.asarray(pseudo + (metric - pseudo.mean()))


@dataclass(frozen=True)
class RankMeasure:
    """Spearman's correlation of two numbers an example: Pearson's of their ranks among the examples drawn."""

    y_true: np.ndarray
    y_pred: np.ndarray
    by_example: None = None

    def on_resamples(self, counts: np.ndarray) -> np.ndarray:
        """As `ExampleMetric`."""
        x, y = _rank_resamples(self.y_true, counts), _rank_resamples(self.y_pred, counts)
        n = counts.sum(1, keepdims=True)
        x, y = (ranks - (counts * ranks).sum(1, keepdims=True) / n for ranks in (x, y))
        return correlation(np.stack([(counts * part).sum(1) for part in products(x, y)], 1))


def _rank_resamples(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ranks [D, N] among the examples drawn, equal values sharing the mean of theirs."""
    _, place = np.unique(values, return_inverse=True)
    value_counts = np.asarray((_encode_one_hot(place, int(place.max()) + 1).T @ counts.T).T)
    return np.asarray((np.cumsum(value_counts, 1) - (value_counts - 1) / 2)[:, place])


def resample_all(measures: Sequence[ExampleMetric], counts: np.ndarray) -> list[np.ndarray]:
    """`on_resamples` of each, sums in a few large products: many models share the examples drawn."""
    resampled: dict[int, np.ndarray] = {}
    for group in _group_dense_sums(measures):
        ends = np.cumsum([parts.shape[1] for _, parts, _ in group])[:-1]
        sums = np.split(counts @ np.concatenate([parts for _, parts, _ in group], 1), ends, axis=1)
        resampled |= {i: formula(part) for (i, _, formula), part in zip(group, sums, strict=True)}
    return [
        resampled[i] if i in resampled else measure.on_resamples(counts) for i, measure in enumerate(measures)
    ]


def _group_dense_sums(measures: Sequence[ExampleMetric]) -> Iterator[list[_DenseSums]]:
    """The measures that are dense sums, so many at a time as make about `_COLUMNS` columns."""
    group, columns = list[_DenseSums](), 0
    for i, measure in enumerate(measures):
        if isinstance(measure, MeanMeasure | SumsMeasure) and isinstance(measure.parts, np.ndarray):
            group.append((i, measure.parts, measure.formula))
            columns += measure.parts.shape[1]
        if columns >= _COLUMNS:
            yield group
            group, columns = [], 0
    if group:
        yield group


def measure_classes(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int) -> Mapping[str, ExampleMetric]:
    """Of one class an example: `y_true` and `y_pred` are class numbers [N] below C."""
    parts = _make_class_parts(_encode_one_hot(y_true, n_classes), _encode_one_hot(y_pred, n_classes))
    measures: dict[str, ExampleMetric] = {
        name: SumsMeasure(parts, formula) for name, formula in CLASS_METRICS.items()
    }
    # As a mean it has exact parts by example, which McNemar's test takes too.
    return measures | {"accuracy": MeanMeasure((y_true == y_pred).astype(float))}


def measure_labels(y_true: np.ndarray, y_pred: np.ndarray) -> Mapping[str, ExampleMetric]:
    """Of sets of labels: `y_true` and `y_pred` are 0 or 1 [N, C]."""
    parts = _make_class_parts(*(sparse.csr_array(flags.astype(float)) for flags in (y_true, y_pred)))
    measures: dict[str, ExampleMetric] = {
        name: SumsMeasure(parts, formula) for name, formula in LABEL_METRICS.items()
    }
    return measures | {"exact_match": MeanMeasure((y_true == y_pred).all(1).astype(float))}


def measure_numbers(y_true: np.ndarray, y_pred: np.ndarray) -> Mapping[str, ExampleMetric]:
    """Of numbers: `y_true` and `y_pred` are [N]."""
    errors = y_pred - y_true
    centred = products(y_true - y_true.mean(), y_pred - y_pred.mean())
    squares = np.stack([np.ones(len(errors)), errors**2], 1)
    return {
        "pearson": SumsMeasure(np.stack(centred, 1), correlation),
        "spearman": RankMeasure(y_true, y_pred),
        "rmse": SumsMeasure(squares, root_mean_square),
        "mae": MeanMeasure(np.abs(errors)),
        "loss": MeanMeasure(errors**2),
    }


def measure_tokens(n_tokens: np.ndarray, losses: np.ndarray, hits: np.ndarray) -> Mapping[str, ExampleMetric]:
    """Of a language model: how many tokens each example has, and sums [N] over them of losses and of hits."""
    parts = np.stack([losses, hits, n_tokens], 1).astype(float)
    return {name: SumsMeasure(parts, formula) for name, formula in TOKEN_METRICS.items()}


def _encode_one_hot(values: np.ndarray, n_columns: int) -> sparse.csr_array:
    n = len(values)
    return sparse.csr_array((np.ones(n), (np.arange(n), values)), shape=(n, n_columns))


def _make_class_parts(y_true: sparse.csr_array, y_pred: sparse.csr_array) -> np.ndarray | sparse.csr_array:
    """[N, 3C]: by class, whether an example is a hit, is of the class, and is predicted to be of it."""
    parts = sparse.csr_array(sparse.hstack([y_true.multiply(y_pred), y_true, y_pred]))
    return parts.toarray() if y_true.shape[1] <= _FEW_CLASSES else parts


def _densify(parts: np.ndarray | sparse.csr_array) -> np.ndarray:
    return parts if isinstance(parts, np.ndarray) else parts.toarray()
