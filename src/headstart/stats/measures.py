"""A model's metric as a function of its test texts, so that texts can be drawn anew or left out.

The metrics are scikit-learn's and scipy's, which tests hold them to; here they are written for many
weightings of the same texts at once. Shapes: N texts, C classes, D draws, K sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from scipy import sparse

#: Rows of sums that are held at a time.
_ROWS: Final = 1 << 12
#: Columns that are multiplied at once, and classes above which a table of mostly zeros is kept sparse.
_COLUMNS: Final = 512
_FEW_CLASSES: Final = 20

#: A measure's place, its parts [N, K] and what it is of their sums.
_Sums = tuple[int, np.ndarray, Callable[[np.ndarray], np.ndarray]]


class Measure(Protocol):
    """One model's metric on N texts."""

    def drawn(self, counts: np.ndarray) -> np.ndarray:
        """The metric [D] where text n is there counts[d, n] times; `counts` is [D, N]."""

    @property
    def by_text(self) -> np.ndarray | None:
        """Parts [N] whose mean is the metric; None where it has none."""


@dataclass(frozen=True)
class Mean:
    """A metric that is the mean of `by_text` [N]: right or wrong, a loss, an error."""

    by_text: np.ndarray

    @property
    def parts(self) -> np.ndarray:
        """[N, 1], of which it is `of` the sum, as `OfSums`."""
        return self.by_text[:, None]

    def of(self, sums: np.ndarray) -> np.ndarray:
        """The mean, of sums [..., 1] over as many texts as there are."""
        return np.asarray(sums[..., 0] / len(self.by_text))

    def drawn(self, counts: np.ndarray) -> np.ndarray:
        """As `Measure`."""
        return self.of(counts @ self.parts)


@dataclass(frozen=True)
class OfSums:
    """A metric that is `of` sums over texts of `parts` [N, K]; `of` takes sums [..., K]."""

    parts: np.ndarray | sparse.csr_array
    of: Callable[[np.ndarray], np.ndarray]

    def drawn(self, counts: np.ndarray) -> np.ndarray:
        """As `Measure`."""
        return self.of(np.asarray((self.parts.T @ counts.T).T))

    @cached_property
    def by_text(self) -> np.ndarray:
        """Jackknife pseudo-values, N m - (N - 1) m without the text, moved so that their mean is m.

        Tukey 1958; for tables of readers and cases Dorfman, Berbaum & Metz 1992.
        """
        texts = self.parts.shape[0]
        total = np.asarray(self.parts.sum(0)).ravel()
        without = np.concatenate(
            [self.of(total - _dense(self.parts[i : i + _ROWS])) for i in range(0, texts, _ROWS)]
        )
        metric = float(self.of(total))
        pseudo = texts * metric - (texts - 1) * without
        return np.asarray(pseudo + (metric - pseudo.mean()))


def draw_all(measures: Sequence[Measure], counts: np.ndarray) -> list[np.ndarray]:
    """`drawn` of each, those that are sums in a few large products: many models share the texts drawn."""
    drawn: dict[int, np.ndarray] = {}
    for group in _groups(measures):
        ends = np.cumsum([parts.shape[1] for _, parts, _ in group])[:-1]
        sums = np.split(counts @ np.concatenate([parts for _, parts, _ in group], 1), ends, axis=1)
        drawn |= {i: of(own) for (i, _, of), own in zip(group, sums, strict=True)}
    return [drawn[i] if i in drawn else one.drawn(counts) for i, one in enumerate(measures)]


def _groups(measures: Sequence[Measure]) -> Iterator[list[_Sums]]:
    """The measures that are dense sums, so many at a time as make about `_COLUMNS` columns."""
    group, columns = list[_Sums](), 0
    for i, one in enumerate(measures):
        if isinstance(one, Mean | OfSums) and isinstance(one.parts, np.ndarray):
            group.append((i, one.parts, one.of))
            columns += one.parts.shape[1]
        if columns >= _COLUMNS:
            yield group
            group, columns = [], 0
    if group:
        yield group


@dataclass(frozen=True)
class Ranked:
    """Spearman's correlation of two numbers a text: Pearson's of their ranks among the texts drawn."""

    true: np.ndarray
    said: np.ndarray
    by_text: None = None

    def drawn(self, counts: np.ndarray) -> np.ndarray:
        """As `Measure`."""
        true, said = _ranks(self.true, counts), _ranks(self.said, counts)
        return _correlation(_moments(true, said, counts))


def _dense(parts: np.ndarray | sparse.csr_array) -> np.ndarray:
    return parts if isinstance(parts, np.ndarray) else parts.toarray()


def class_measures(true: np.ndarray, said: np.ndarray, classes: int) -> Mapping[str, Measure]:
    """Of classes told apart: `true` and `said` are numbers [N] below C."""
    parts = _class_parts(_one_hot(true, classes), _one_hot(said, classes))
    return {
        "accuracy": Mean((true == said).astype(float)),
        "balanced_accuracy": OfSums(parts, _balanced_accuracy),
        "macro_f1": OfSums(parts, _f1_of_present),
        "mcc": OfSums(parts, _mcc),
    }


def label_measures(true: np.ndarray, said: np.ndarray) -> Mapping[str, Measure]:
    """Of sets of labels: `true` and `said` are 0 or 1 [N, C]."""
    parts = _class_parts(sparse.csr_array(true.astype(float)), sparse.csr_array(said.astype(float)))
    return {
        "macro_f1": OfSums(parts, lambda sums: _f1(*_counts(sums)).mean(-1)),
        "micro_f1": OfSums(parts, lambda sums: _f1(*(one.sum(-1) for one in _counts(sums)))),
        "exact_match": Mean((true == said).all(1).astype(float)),
    }


def number_measures(true: np.ndarray, said: np.ndarray) -> Mapping[str, Measure]:
    """Of numbers: `true` and `said` are [N]."""
    errors = said - true
    ones = np.ones(len(true))
    return {
        "pearson": OfSums(np.stack(_products(true - true.mean(), said - said.mean()), 1), _correlation),
        "spearman": Ranked(true, said),
        "rmse": OfSums(
            np.stack([ones, errors**2], 1), lambda sums: np.sqrt(_share(sums[..., 1], sums[..., 0]))
        ),
        "mae": Mean(np.abs(errors)),
        "loss": Mean(errors**2),
    }


def token_measures(tokens: np.ndarray, losses: np.ndarray, right: np.ndarray) -> Mapping[str, Measure]:
    """Of a language model: how many tokens each text has, and sums [N] over them of losses and of hits."""
    of_losses, of_hits = (np.stack([own, tokens], 1).astype(float) for own in (losses, right))
    return {
        "loss": OfSums(of_losses, _a_token),
        "perplexity": OfSums(of_losses, lambda sums: np.exp(_a_token(sums))),
        "token_accuracy": OfSums(of_hits, _a_token),
    }


def _a_token(sums: np.ndarray) -> np.ndarray:
    return _share(sums[..., 0], sums[..., 1])


def _one_hot(values: np.ndarray, classes: int) -> sparse.csr_array:
    texts = len(values)
    return sparse.csr_array((np.ones(texts), (np.arange(texts), values)), shape=(texts, classes))


def _class_parts(true: sparse.csr_array, said: sparse.csr_array) -> np.ndarray | sparse.csr_array:
    """[N, 3 C]: by class, whether a text is of it and said to be, is of it, and is said to be."""
    parts = sparse.csr_array(sparse.hstack([true.multiply(said), true, said]))
    return parts.toarray() if true.shape[1] <= _FEW_CLASSES else parts


def _counts(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits, texts of each class, and texts said to be: [..., C] each."""
    hits, true, said = np.split(sums, 3, axis=-1)
    return hits, true, said


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """0 where there is nothing to share."""
    return np.asarray(np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0))


def _f1(hits: np.ndarray, true: np.ndarray, said: np.ndarray) -> np.ndarray:
    return _share(2 * hits, true + said)


def _mean_of_present(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    return _share((values * present).sum(-1), present.sum(-1))


def _balanced_accuracy(sums: np.ndarray) -> np.ndarray:
    hits, true, _ = _counts(sums)
    return _mean_of_present(_share(hits, true), true > 0)


def _f1_of_present(sums: np.ndarray) -> np.ndarray:
    hits, true, said = _counts(sums)
    return _mean_of_present(_f1(hits, true, said), true + said > 0)


def _mcc(sums: np.ndarray) -> np.ndarray:
    """Gorodkin 2004, "Comparing two K-category assignments", from the margins of the table."""
    hits, true, said = _counts(sums)
    texts = true.sum(-1)
    spread = (texts**2 - (true**2).sum(-1)) * (texts**2 - (said**2).sum(-1))
    shared = hits.sum(-1) * texts - (true * said).sum(-1)
    return _share(shared, np.sqrt(np.maximum(spread, 0.0)))


def _products(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    return [np.ones(x.shape), x, y, x * x, y * y, x * y]


def _moments(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sums [D, 6] of the products of centred x and y [D, N]."""
    texts = counts.sum(1, keepdims=True)
    x, y = (v - (counts * v).sum(1, keepdims=True) / texts for v in (x, y))
    return np.stack([(counts * one).sum(1) for one in _products(x, y)], 1)


def _correlation(sums: np.ndarray) -> np.ndarray:
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    spread = np.maximum(n * xx - x * x, 0.0) * np.maximum(n * yy - y * y, 0.0)
    # What rounding leaves of no spread at all is none: a constant correlates with nothing.
    is_spread = spread > 1e-20 * (n * xx) * (n * yy)
    return np.where(is_spread, _share(n * xy - x * y, np.sqrt(spread)), 0.0)


def _ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ranks [D, N] among the texts drawn, equal values sharing the mean of theirs."""
    _, place = np.unique(values, return_inverse=True)
    held = np.asarray((_one_hot(place, int(place.max()) + 1).T @ counts.T).T)
    return np.asarray((np.cumsum(held, 1) - (held - 1) / 2)[:, place])
