"""The baseline that costs seconds: TF-IDF of words and word pairs with a linear model; single texts only.

Logistic regression for classes and for each label, ridge for numbers; the strength of regularisation is
the one that does best on valid, by the study's own metric.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

from headstart.config.metrics import is_better
from headstart.config.traits import LabelKind
from headstart.data.corpus import Examples
from headstart.engine.member import PackContext, describe_selection
from headstart.methods.base import RunResult, UntrainedMethod
from headstart.prepared import PreparedRun
from headstart.records import Parameters, Scores
from headstart.tasks import load_task
from headstart.tasks.labelled import LabelledTask

#: Inverse strengths tried; for ridge the strengths are their inverses.
STRENGTHS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_MAX_ITERATIONS = 1000
#: Test texts whose words are counted at a time.
_AT_ONCE: Final = 1 << 16


class BagOfWordsMethod(UntrainedMethod):
    """Fits on words what other arms learn with networks."""

    name = "bag-of-words"

    def explain_alone(self, prepared: PreparedRun) -> str | None:
        """Always."""
        return "a bag of words is fitted"

    def count_parameters(self, prepared: PreparedRun) -> Parameters | None:
        """Not known before it has seen the words."""
        return None

    def run(self, prepared: PreparedRun, context: PackContext | None, folder: Path) -> RunResult:
        """Fit with each strength, choose on valid, predict the test examples."""
        study, corpus = prepared.study.study, prepared.study.corpus
        task = load_task(study.task)
        assert isinstance(task, LabelledTask)
        train = corpus.parts["train"].select(prepared.train_index)
        best: tuple[float, BagOfWords, Scores] | None = None
        for strength, model in fit_path(train, task.traits.labels, corpus.num_outputs):
            scores = _measure(model, corpus.parts["valid"], task, corpus.num_outputs)
            if best is None or is_better(study.metric, scores[study.metric], best[2][study.metric]):
                best = strength, model, scores
        assert best is not None
        strength, model, valid = best
        test = corpus.parts["test"]
        windows = ((part, model.predict_logits(_select(test, part))) for part in _iterate_parts(len(test)))
        rule = f"regularisation strength with the best valid {study.metric}"
        return RunResult(
            selection=describe_selection(study.metric).model_copy(update={"rule": rule}),
            valid=valid,
            test=task.write_predictions(windows, prepared, folder),
            parameters=Parameters(total=model.parameters, trainable=model.parameters),
            device="cpu",
            precision="fp64",
            resolved={"inverse_regularisation": strength},
        )


def _iterate_parts(count: int) -> Iterator[slice]:
    """So many examples at once that the counts of their words fit into memory."""
    return (slice(start, min(start + _AT_ONCE, count)) for start in range(0, count, _AT_ONCE))


def _select(examples: Examples, part: slice) -> Examples:
    return examples.select(np.arange(part.start, part.stop))


def _measure(model: BagOfWords, examples: Examples, task: LabelledTask, outputs: int) -> Scores:
    meter = task.make_meter(outputs)
    meter.add(model.predict_logits(examples), torch.from_numpy(examples.labels))
    return meter.compute_scores()


@dataclass(frozen=True)
class BagOfWords:
    """A fitted baseline: a linear model of C `classes`, or of a number, over words."""

    labels: LabelKind
    classes: int
    vectorizer: TfidfVectorizer
    model: Any

    def predict_logits(self, examples: Examples) -> torch.Tensor:
        """What a network would give: log-probabilities [N, C], logits [N, C] or numbers [N, 1]; float64."""
        features = self.vectorizer.transform(examples.texts)
        if self.labels == "number":
            return torch.from_numpy(self.model.predict(features)[:, None])
        probabilities = self.model.predict_proba(features)
        if self.labels == "label-set":
            return torch.logit(torch.from_numpy(probabilities), eps=1e-12)
        # A class that the training subset lacks gets a probability of 0, and is never predicted.
        spread = np.zeros((len(probabilities), self.classes))
        spread[:, self.model.classes_] = probabilities
        return torch.from_numpy(np.log(spread.clip(1e-12)))

    @property
    def parameters(self) -> int:
        """Coefficients and intercepts."""
        parts = self.model.estimators_ if self.labels == "label-set" else [self.model]
        return sum(np.size(getattr(p, k, ())) for p in parts for k in ("coef_", "intercept_"))


def fit_path(train: Examples, labels: LabelKind, classes: int) -> list[tuple[float, BagOfWords]]:
    """One fitted baseline for each strength, weakest regularisation last."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, strip_accents=None)
    features = vectorizer.fit_transform(train.texts)
    return [
        (
            strength,
            BagOfWords(labels, classes, vectorizer, _fit_model(features, train.labels, labels, strength)),
        )
        for strength in STRENGTHS
    ]


def _fit_model(features: Any, y_true: np.ndarray, labels: LabelKind, strength: float) -> Any:
    if labels == "number":
        return Ridge(alpha=1 / strength).fit(features, y_true.astype(np.float64))
    if labels == "class" and len(np.unique(y_true)) == 1:  # of a small subset: scikit-learn refuses to fit
        return DummyClassifier(strategy="prior").fit(features, y_true)
    logistic = LogisticRegression(C=strength, max_iter=_MAX_ITERATIONS)
    if labels == "label-set":
        return OneVsRestClassifier(logistic).fit(features, y_true.astype(int))
    return logistic.fit(features, y_true)


BAG_OF_WORDS = BagOfWordsMethod()
