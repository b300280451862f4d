"""The baseline against scikit-learn called by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from headstart.data.corpus import Examples
from headstart.methods.bag_of_words import STRENGTHS, compute_logits, fit_path

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
        probabilities = compute_logits(model, TEXTS).softmax(-1).numpy()
        assert np.allclose(probabilities, expected.predict_proba(_features()), atol=1e-9)


def test_a_class_that_training_lacks_is_never_predicted() -> None:
    labels = np.array([2, 2, 0, 0, 2, 0, 0, 0])
    _, model = fit_path(_examples(labels), "class", 3)[-1]
    logits = compute_logits(model, TEXTS)
    assert logits.shape == (8, 3)
    assert set(logits.argmax(-1).tolist()) == {0, 2}
    assert torch.isfinite(logits).all()


def test_numbers_are_ridges() -> None:
    labels = np.array([5, 4, 1, 2, 5, 1, 3, 3], np.float32)
    for strength, model in fit_path(_examples(labels), "number", 1):
        expected = Ridge(alpha=1 / strength).fit(_features(), labels.astype(float)).predict(_features())
        assert np.allclose(compute_logits(model, TEXTS)[:, 0].numpy(), expected, atol=1e-9)


def test_each_label_has_its_own_logistic_regression() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 0], [1, 1], [0, 1], [0, 0], [1, 1]], np.float32)
    strength, model = fit_path(_examples(labels), "label-set", 2)[2]
    probabilities = compute_logits(model, TEXTS).sigmoid().numpy()
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


@pytest.mark.parametrize("labels", [[1, 1, 0, 0, 1, 0, 0, 1], [0, 1, 2, 0, 1, 2, 0, 1]])
def test_classes_are_scikit_learns_to_the_last_bit(labels: list[int]) -> None:
    strength, model = fit_path(_examples(np.array(labels)), "class", max(labels) + 1)[3]
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=strength, max_iter=1000)
    ).fit(TEXTS, labels)
    others = [*TEXTS, "", "good odd bad", "a word unseen"]
    assert np.array_equal(model.compute_outputs(others), pipeline.predict_proba(others))


def test_numbers_are_scikit_learns_to_the_last_bit() -> None:
    labels = np.array([5, 4, 1, 2, 5, 1, 3, 3], np.float64)
    strength, model = fit_path(_examples(labels), "number", 1)[3]
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), Ridge(alpha=1 / strength)
    ).fit(TEXTS, labels)
    assert np.array_equal(model.compute_outputs(TEXTS)[:, 0], pipeline.predict(TEXTS))


def test_labels_that_all_or_none_have_are_as_certain_as_scikit_learns() -> None:
    labels = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1], [1, 0, 0]] * 2, np.float32)
    strength, model = fit_path(_examples(labels), "label-set", 3)[3]
    with pytest.warns(UserWarning, match="present in all training examples"):
        other = OneVsRestClassifier(LogisticRegression(C=strength, max_iter=1000)).fit(
            _features(), labels.astype(int)
        )
    assert np.allclose(model.compute_outputs(TEXTS), other.predict_proba(_features()), rtol=0, atol=1e-12)
    assert model.parameters == len(model.vectorizer.vocabulary_) + 1


def test_one_label_alone_has_one_column() -> None:
    labels = np.array([[1], [1], [0], [0], [1], [0], [0], [1]], np.float32)
    _, model = fit_path(_examples(labels), "label-set", 1)[3]
    assert compute_logits(model, TEXTS).shape == (8, 1)


def test_one_class_alone_is_certain() -> None:
    _, model = fit_path(_examples(np.full(8, 1)), "class", 3)[0]
    assert model.compute_outputs(["good", "new"]).tolist() == [[0, 1, 0], [0, 1, 0]]
    assert model.parameters == 0


def test_bits_do_not_hang_on_the_threads_of_the_process() -> None:
    # OpenBLAS divides sums of more than 10,000 values among its threads.
    draws = np.random.default_rng(0).integers(0, 4000, (1500, 12))
    texts = [" ".join(f"w{word}" for word in row) for row in draws]
    examples = Examples(texts, np.arange(1500) % 2, list(range(1500)))
    fitted = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            fitted.append(fit_path(examples, "class", 2)[-1][1].linear.coef)
    assert fitted[0].shape[1] > 10_000
    assert np.array_equal(fitted[0], fitted[1])
