"""The baseline against scikit-learn called by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from headstart.data.corpus import Examples
from headstart.methods.bag_of_words import STRENGTHS, fit_path

TEXTS = ["good book", "very good", "bad book", "so bad", "good good film", "bad bad film", "odd film", "odd"]


def _examples(labels: np.ndarray) -> Examples:
    return Examples(TEXTS, labels, list(range(len(TEXTS))))


def _features() -> object:
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(TEXTS)


def test_probabilities_are_logistic_regressions() -> None:
    labels = np.array([1, 1, 0, 0, 1, 0, 2, 2])
    path = fit_path(_examples(labels), "class", 3)
    assert [strength for strength, _ in path] == list(STRENGTHS)
    for strength, model in path:
        expected = LogisticRegression(C=strength, max_iter=1000).fit(_features(), labels)
        probabilities = model.predict_logits(_examples(labels)).softmax(-1).numpy()
        assert np.allclose(probabilities, expected.predict_proba(_features()), atol=1e-9)


def test_a_class_that_training_lacks_is_never_predicted() -> None:
    labels = np.array([2, 2, 0, 0, 2, 0, 0, 0])
    _, model = fit_path(_examples(labels), "class", 3)[-1]
    logits = model.predict_logits(_examples(labels))
    assert logits.shape == (8, 3)
    assert set(logits.argmax(-1).tolist()) == {0, 2}
    assert torch.isfinite(logits).all()


def test_numbers_are_ridges() -> None:
    labels = np.array([5, 4, 1, 2, 5, 1, 3, 3], np.float32)
    for strength, model in fit_path(_examples(labels), "number", 1):
        expected = Ridge(alpha=1 / strength).fit(_features(), labels.astype(float)).predict(_features())
        assert np.allclose(model.predict_logits(_examples(labels))[:, 0].numpy(), expected, atol=1e-9)


def test_each_label_has_its_own_logistic_regression() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 0], [1, 1], [0, 1], [0, 0], [1, 1]], np.float32)
    strength, model = fit_path(_examples(labels), "label-set", 2)[2]
    probabilities = model.predict_logits(_examples(labels)).sigmoid().numpy()
    for c in range(2):
        expected = LogisticRegression(C=strength, max_iter=1000).fit(_features(), labels[:, c].astype(int))
        assert np.allclose(probabilities[:, c], expected.predict_proba(_features())[:, 1], atol=1e-9)


@pytest.mark.parametrize(
    ("labels", "classes"), [([1, 1, 0, 0, 1, 0, 0, 1], 2), ([0, 1, 2, 0, 1, 2, 0, 1], 3)]
)
def test_parameters_are_coefficients_and_intercepts(labels: list[int], classes: int) -> None:
    _, model = fit_path(_examples(np.array(labels)), "class", classes)[0]
    words = len(model.vectorizer.vocabulary_)
    assert model.parameters == (words + 1) * (1 if classes == 2 else classes)
