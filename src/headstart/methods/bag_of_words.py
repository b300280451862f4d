"""The baseline that costs seconds: TF-IDF of words and word pairs with a linear model; single texts only.

Logistic regression for classes and for each label, ridge for numbers; the strength of regularisation is
the one that does best on valid, by the study's own metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from headstart.config.metrics import is_better
from headstart.config.traits import LabelKind
from headstart.data.corpus import Examples, Text
from headstart.engine.member import PackContext, describe_selection
from headstart.methods.base import RunResult, UntrainedMethod
from headstart.methods.word_files import save_words
from headstart.methods.word_model import LEARNT, LinearModel, WordModel, make_vectorizer
from headstart.prepared import PreparedRun
from headstart.records import Parameters, Scores
from headstart.store.digests import MODEL_FOLDER
from headstart.tasks import load_task
from headstart.tasks.labelled import LabelledTask

#: Inverse strengths tried; for ridge the strengths are their inverses.
STRENGTHS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_MAX_ITERATIONS = 1000
#: Test examples whose words are counted at a time.
_AT_ONCE: Final = 1 << 16
#: Test examples whose outputs a saved model must give again.
_CHECKED: Final = 1000
#: The smallest probability that a logarithm is taken of.
_LEAST: Final = 1e-12


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
        """Fit with each strength, choose on valid, save the model, and predict the test examples."""
        study, corpus = prepared.study.study, prepared.study.corpus
        task = load_task(study.task)
        assert isinstance(task, LabelledTask)
        train = corpus.parts["train"].select(prepared.train_index)
        best: tuple[float, WordModel, Scores] | None = None
        for strength, model in fit_path(train, task.traits.labels, corpus.num_outputs):
            scores = _measure(model, corpus.parts["valid"], task, corpus.num_outputs)
            if best is None or is_better(study.metric, scores[study.metric], best[2][study.metric]):
                best = strength, model, scores
        assert best is not None
        strength, model, valid = best
        test = corpus.parts["test"]
        windows = (
            (part, compute_logits(model, _select(test, part).texts)) for part in _iterate_parts(len(test))
        )
        save_words(
            model,
            corpus.label_names,
            folder / MODEL_FOLDER,
            _select(test, slice(0, min(len(test), _CHECKED))).texts,
        )
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


def _measure(model: WordModel, examples: Examples, task: LabelledTask, outputs: int) -> Scores:
    meter = task.make_meter(outputs)
    meter.add(compute_logits(model, examples.texts), torch.from_numpy(examples.labels))
    return meter.compute_scores()


def compute_logits(model: WordModel, texts: Sequence[Text]) -> torch.Tensor:
    """What a network would give: log-probabilities [N, C], logits [N, C] or numbers [N, 1]; float64."""
    outputs = torch.from_numpy(model.compute_outputs(_check_single(texts)))
    if model.labels == "number":
        return outputs
    # A class that the training subset lacks has a probability of 0, and is never predicted.
    return torch.logit(outputs, eps=_LEAST) if model.labels == "label-set" else outputs.clip(_LEAST).log()


def _check_single(texts: Sequence[Text]) -> Sequence[str]:
    assert not any(isinstance(text, tuple) for text in texts)  # the study file refuses it for pairs
    return cast(Sequence[str], texts)


def fit_path(train: Examples, labels: LabelKind, outputs: int) -> list[tuple[float, WordModel]]:
    """One fitted baseline for each strength, weakest regularisation last.

    On one thread of BLAS: it would begin one for each processor, which wait for each other actively on those
    that the process is pinned to, and sums divided among them have other bits than those of one.
    """
    vectorizer = make_vectorizer()
    features = vectorizer.fit_transform(train.texts)
    with threadpool_limits(1, user_api="blas"):
        return [
            (
                strength,
                WordModel(labels, outputs, vectorizer, _fit_model(features, train.labels, labels, strength)),
            )
            for strength in STRENGTHS
        ]


def _fit_model(features: Any, y_true: np.ndarray, labels: LabelKind, strength: float) -> LinearModel:
    none = np.zeros(0, np.int64)
    if labels == "number":
        ridge = Ridge(alpha=1 / strength).fit(features, y_true.astype(np.float64))
        return LinearModel(ridge.coef_[None], np.array([ridge.intercept_]), none, none)
    if labels == "class":
        coef, intercept = _fit_logistic(features, y_true, strength)
        return LinearModel(coef, intercept, np.unique(y_true), none)
    by_label = [_fit_logistic(features, column, strength) for column in y_true.astype(int).T]
    constants = np.array(
        [LEARNT if len(coef) else column[0] for (coef, _), column in zip(by_label, y_true.T, strict=True)]
    )
    rows = [coef if len(coef) else np.zeros((1, features.shape[1])) for coef, _ in by_label]
    intercepts = [intercept if len(intercept) else np.zeros(1) for _, intercept in by_label]
    return LinearModel(np.concatenate(rows), np.concatenate(intercepts), none, constants.astype(np.int64))


def _fit_logistic(features: Any, y_true: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and intercepts; no rows where there is one class, which scikit-learn refuses to fit."""
    if len(np.unique(y_true)) == 1:
        return np.zeros((0, features.shape[1])), np.zeros(0)
    model = LogisticRegression(C=strength, max_iter=_MAX_ITERATIONS).fit(features, y_true)
    return model.coef_, model.intercept_


BAG_OF_WORDS = BagOfWordsMethod()
