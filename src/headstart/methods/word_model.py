"""A fitted bag of words: TF-IDF of words and word pairs, and a linear model; neither fits nor saves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import softmax

from headstart.config.traits import LabelKind

#: How texts become features: each setting that decides, so that no other version's defaults do.
SETTINGS: Final[dict[str, Any]] = {
    "analyzer": "word",
    "lowercase": True,
    "ngram_range": (1, 2),
    "norm": "l2",
    "smooth_idf": True,
    "strip_accents": None,
    "sublinear_tf": True,
    "token_pattern": r"(?u)\b\w\w+\b",
    "use_idf": True,
}
#: What stands in `constants` for a label that some training examples have: its row of coefficients decides.
LEARNT: Final = -1


def make_vectorizer(vocabulary: dict[str, int] | None = None) -> TfidfVectorizer:
    """What makes F features of a text, not fitted yet.

    Args:
        vocabulary: the feature of each word or pair, where that is known.
    """
    return TfidfVectorizer(**SETTINGS, vocabulary=vocabulary)


@dataclass(frozen=True)
class LinearModel:
    """A linear model on F features: `coef` [K, F] and `intercept` [K], float64.

    Of classes K is one for each of `classes` (of two classes one in all, for the second; of one none), where
    `classes` are the numbers of those that the training examples have. Of labels K is one a label, and
    `constants` [K] is 0 or 1 for a label that none or all of the training examples have, else -1. Of numbers
    K is 1.
    """

    coef: np.ndarray
    intercept: np.ndarray
    classes: np.ndarray
    constants: np.ndarray

    @property
    def parameters(self) -> int:
        """Coefficients and intercepts that were fitted."""
        learnt = int((self.constants == LEARNT).sum()) if len(self.constants) else len(self.intercept)
        return learnt * (int(self.coef.shape[1]) + 1)


@dataclass(frozen=True)
class WordModel:
    """A fitted baseline for `labels` of C `outputs`."""

    labels: LabelKind
    outputs: int
    vectorizer: TfidfVectorizer
    linear: LinearModel

    def compute_outputs(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities of N texts for each class or label, [N, C], or numbers [N, 1]; float64.

        As scikit-learn's `LogisticRegression.predict_proba` and `Ridge.predict` have them. A class that the
        training examples lack has a probability of 0.
        """
        linear = self.linear
        scores = self.vectorizer.transform(texts) @ linear.coef.T + linear.intercept
        if self.labels == "number":
            return np.asarray(scores)
        if self.labels == "label-set":
            return np.where(linear.constants == LEARNT, expit(scores), linear.constants.astype(np.float64))
        probabilities = np.zeros((len(texts), self.outputs))
        probabilities[:, linear.classes] = _compute_class_probabilities(scores, len(linear.classes))
        return probabilities

    @property
    def parameters(self) -> int:
        """Coefficients and intercepts."""
        return self.linear.parameters


def _compute_class_probabilities(scores: np.ndarray, classes: int) -> np.ndarray:
    """[N, classes]: of two classes by the logistic function of one score, of more by a softmax."""
    if classes == 1:
        return np.ones((len(scores), 1))
    if classes == 2:
        second = expit(scores[:, 0])
        return np.stack([1 - second, second], axis=1)
    return np.asarray(softmax(scores))
