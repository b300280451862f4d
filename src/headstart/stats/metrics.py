"""Each metric as a formula of sums over examples, for streams of batches and for resamples.

The formulas are scikit-learn's and scipy's, which tests hold them to. They take sums [..., K], so that one
call serves one test set or many resamples of it. Shapes: N examples, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

#: A metric [...] of sums [..., K].
Formula = Callable[[np.ndarray], np.ndarray]
#: Above this mean loss the perplexity has no number.
_MAX_LOSS: Final = 700.0
#: Below this share of the sum of squares, what is left of a variance is rounding.
_NO_VARIANCE: Final = 1e-12


def count_classes(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int) -> np.ndarray:
    """Sums [3C] of `CLASS_METRICS`: by class the hits, the examples of it, and those predicted to be of it.

    Args:
        y_true: class numbers [N] below C, as are `y_pred`.
    """
    hits = y_true[y_true == y_pred]
    return np.concatenate([np.bincount(values, minlength=n_classes) for values in (hits, y_true, y_pred)])


def count_labels(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Sums [3C] of `LABEL_METRICS`, by label as in `count_classes`, of flags 0 or 1 [N, C]."""
    return np.concatenate([flags.sum(0, dtype=np.int64) for flags in (y_true & y_pred, y_true, y_pred)])


def score_sums(formulas: Mapping[str, Formula], sums: np.ndarray) -> dict[str, float]:
    """Every metric of one set of sums [K]."""
    return {name: float(formula(sums)) for name, formula in formulas.items()}


def divide_or_zero(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, 0 where there is nothing to share; what is no number stays none."""
    return np.asarray(np.divide(part, whole, out=np.zeros(np.shape(whole)), where=~(whole <= 0)))


def _split(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits, examples of each class, and examples predicted to be of it: [..., C] each."""
    hits, y_true, predicted = np.split(sums, 3, axis=-1)
    return hits, y_true, predicted


def _f1(hits: np.ndarray, y_true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return divide_or_zero(2 * hits, y_true + predicted)


def _mean_of_present(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    return divide_or_zero((values * present).sum(-1), present.sum(-1))


def _accuracy(sums: np.ndarray) -> np.ndarray:
    hits, y_true, _ = _split(sums)
    return divide_or_zero(hits.sum(-1), y_true.sum(-1))


def _balanced_accuracy(sums: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that occur."""
    hits, y_true, _ = _split(sums)
    return _mean_of_present(divide_or_zero(hits, y_true), y_true > 0)


def _macro_f1_of_present(sums: np.ndarray) -> np.ndarray:
    """Over the classes that occur or are predicted."""
    hits, y_true, predicted = _split(sums)
    return _mean_of_present(_f1(hits, y_true, predicted), y_true + predicted > 0)


def _mcc(sums: np.ndarray) -> np.ndarray:
    """Gorodkin 2004, "Comparing two K-category assignments", from the margins of the table."""
    hits, y_true, predicted = (part.astype(float) for part in _split(sums))
    n = y_true.sum(-1)
    variances = (n**2 - (y_true**2).sum(-1)) * (n**2 - (predicted**2).sum(-1))
    covariance = hits.sum(-1) * n - (y_true * predicted).sum(-1)
    return divide_or_zero(covariance, np.sqrt(np.maximum(variances, 0.0)))


def _macro_f1(sums: np.ndarray) -> np.ndarray:
    return np.asarray(_f1(*_split(sums)).mean(-1))


def _micro_f1(sums: np.ndarray) -> np.ndarray:
    hits, y_true, predicted = _split(sums)
    return _f1(hits.sum(-1), y_true.sum(-1), predicted.sum(-1))


def correlation(sums: np.ndarray) -> np.ndarray:
    """Pearson's correlation, of the sums [..., 6] of `products`; a constant correlates with nothing."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    x_variance, y_variance = n * xx - x * x, n * yy - y * y
    is_constant = (x_variance <= _NO_VARIANCE * n * xx) | (y_variance <= _NO_VARIANCE * n * yy)
    deviations = np.sqrt(np.maximum(x_variance, 0.0) * np.maximum(y_variance, 0.0))
    return np.where(is_constant, 0.0, np.clip(divide_or_zero(n * xy - x * y, deviations), -1.0, 1.0))


def products(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """What `correlation` takes sums of: 1, x, y, x², y² and xy; centre x and y first, for their digits."""
    return [np.ones(x.shape), x, y, x * x, y * y, x * y]


def root_mean_square(sums: np.ndarray) -> np.ndarray:
    """Of the sums [..., 2] of ones and of squared errors."""
    return np.asarray(np.sqrt(divide_or_zero(sums[..., 1], sums[..., 0])))


def _loss_per_token(sums: np.ndarray) -> np.ndarray:
    return divide_or_zero(sums[..., 0], sums[..., 2])


def _perplexity(sums: np.ndarray) -> np.ndarray:
    """exp(loss); infinite where that has no number."""
    loss = _loss_per_token(sums)
    return np.where(loss < _MAX_LOSS, np.exp(np.minimum(loss, _MAX_LOSS)), np.inf)


def _token_accuracy(sums: np.ndarray) -> np.ndarray:
    return divide_or_zero(sums[..., 1], sums[..., 2])


#: Of one class an example, of sums as `count_classes` has them.
CLASS_METRICS: Final[Mapping[str, Formula]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro_f1_of_present,
    "mcc": _mcc,
}
#: Of sets of labels, of sums as `count_labels` has them.
LABEL_METRICS: Final[Mapping[str, Formula]] = {"macro_f1": _macro_f1, "micro_f1": _micro_f1}
#: Of a language model, of sums [..., 3]: of losses, of tokens predicted right, and of tokens.
TOKEN_METRICS: Final[Mapping[str, Formula]] = {
    "loss": _loss_per_token,
    "perplexity": _perplexity,
    "token_accuracy": _token_accuracy,
}
