"""The baseline that costs seconds: TF-IDF of words and word pairs with a linear model; single texts only.

Logistic regression for classes and for each label, ridge for numbers; the strength of regularisation is
the one that does best on valid, by the study's own metric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

from headstart.config.traits import TaskName
from headstart.data.corpus import Examples

#: Inverse strengths tried; for ridge the strengths are their inverses.
STRENGTHS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_ITERATIONS = 1000


@dataclass(frozen=True)
class BagOfWords:
    """A fitted baseline for `classes` classes."""

    task: TaskName
    classes: int
    vectorizer: TfidfVectorizer
    model: Any

    def logits(self, examples: Examples) -> torch.Tensor:
        """What a network would give: log-probabilities [N, C], logits [N, C] or numbers [N, 1]; float64."""
        features = self.vectorizer.transform(examples.texts)
        if self.task == "regression":
            return torch.from_numpy(self.model.predict(features)[:, None])
        probabilities = self.model.predict_proba(features)
        if self.task == "multi-label":
            return torch.logit(torch.from_numpy(probabilities), eps=1e-12)
        # A class that the training subset lacks gets a probability of 0, and is never predicted.
        spread = np.zeros((len(probabilities), self.classes))
        spread[:, self.model.classes_] = probabilities
        return torch.from_numpy(np.log(spread.clip(1e-12)))

    @property
    def parameters(self) -> int:
        """Coefficients and intercepts."""
        parts = self.model.estimators_ if self.task == "multi-label" else [self.model]
        return sum(np.size(getattr(p, k, ())) for p in parts for k in ("coef_", "intercept_"))


def fit_path(train: Examples, task: TaskName, classes: int) -> list[tuple[float, BagOfWords]]:
    """One fitted baseline for each strength, weakest regularisation last."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, strip_accents=None)
    features = vectorizer.fit_transform(train.texts)
    return [
        (strength, BagOfWords(task, classes, vectorizer, _fit(features, train.labels, task, strength)))
        for strength in STRENGTHS
    ]


def _fit(features: Any, labels: np.ndarray, task: TaskName, strength: float) -> Any:
    if task == "regression":
        return Ridge(alpha=1 / strength).fit(features, labels.astype(np.float64))
    logistic = LogisticRegression(C=strength, max_iter=_ITERATIONS)
    if task == "multi-label":
        return OneVsRestClassifier(logistic).fit(features, labels.astype(int))
    return logistic.fit(features, labels)
