"""Which runs collapsed, by their predictions and their loss, and what their arm is advised to try."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from headstart.analysis.collapse_words import format_rate, warn_of_collapsed
from headstart.analysis.collapsed import judge_predictions, mark_contrasts, sum_up_collapse
from headstart.records import Collapse, EpochPoint, OutcomeRow
from headstart.store.prediction_tables import Predictions
from studies import findings_of, make_record, make_study

CLASSES = np.repeat([0, 1], 150)
NAMES = ("negative", "positive")


def predict(y_pred: np.ndarray, y_true: np.ndarray = CLASSES, **more: Any) -> Predictions:
    values: dict[str, Any] = {"kind": "classes", "classes": 2, "digest": "d", "names": NAMES} | more
    return Predictions(y_true=y_true, y_pred=y_pred, **values)


def judge(predictions: Predictions, *losses: float) -> Collapse | None:
    """Of a run with these training losses by epoch."""
    epochs = [
        EpochPoint(epoch=i, step=5 * i, train_loss=loss, learning_rate=0.0, valid={}, seconds=1)
        for i, loss in enumerate(losses, 1)
    ]
    return judge_predictions(make_record("random", 0, 0.5, epochs=epochs), predictions)


def test_one_class_for_all_texts() -> None:
    collapse = judge(predict(np.ones(300, int)), 0.70, 0.64)
    assert collapse is not None
    assert (collapse.reason, collapse.answer) == ("one answer", "'positive'")
    assert (collapse.count, collapse.n_examples, collapse.right, collapse.loss) == (300, 300, 150, 0.64)


def test_a_loss_that_stays_at_guessing() -> None:
    tossed = np.tile([0, 1], 150)
    collapse = judge(predict(tossed), 0.72, 0.69)
    assert collapse is not None
    assert (collapse.reason, collapse.right) == ("loss", 150)
    assert collapse.chance_loss == pytest.approx(math.log(2))
    assert judge(predict(tossed), 0.69, 0.60) is None


def test_what_is_right_has_not_collapsed_whatever_its_loss() -> None:
    """A probe's logits may be small and in the right order."""
    assert judge(predict(CLASSES), 0.693) is None


def test_what_has_no_loss_is_judged_by_its_answers() -> None:
    assert judge(predict(np.ones(300, int))) is not None
    assert judge(predict(np.tile([0, 1], 150))) is None


def test_one_set_of_labels_for_all_texts() -> None:
    y_true = np.array([[0, 1], [1, 0]] * 50, np.int8)
    always = np.tile(np.array([1, 1], np.int8), (100, 1))
    collapse = judge(predict(always, y_true, kind="labels"), 0.5)
    assert collapse is not None
    assert (collapse.answer, collapse.right) == ("[negative, positive]", 0)
    assert judge(predict(y_true, y_true, kind="labels"), 0.5) is None


def test_one_number_for_all_texts() -> None:
    y_true = np.linspace(0, 1, 100)
    collapse = judge(predict(np.full(100, 0.25), y_true, kind="numbers", classes=0, names=()), 0.1)
    assert collapse is not None
    assert (collapse.answer, collapse.right) == ("about 0.25", None)


def test_a_language_model_is_not_judged() -> None:
    assert judge(predict(np.ones(300), np.ones(300), kind="answers", classes=0, names=()), 9.0) is None


COLLAPSE = Collapse(reason="one answer", answer="'positive'", count=300, n_examples=300, right=150)
POINT = EpochPoint(epoch=3, step=15, train_loss=0.69, learning_rate=0.0, valid={}, seconds=1)


def warn(arm: str = "random", **changes: Any) -> str:
    """The message about an arm of which two runs of three collapsed."""
    study = make_study(**changes)
    run = make_record(arm, 0, 0.5, epochs=[] if arm == "words" else [POINT])
    summed = sum_up_collapse(study, arm, [run, run], [COLLAPSE, COLLAPSE])
    row = OutcomeRow(arm=arm, size="all", n_runs=3, n_failed=0, n_collapsed=2, collapse=summed)
    (warning,) = warn_of_collapsed([row])
    return warning.message


def test_a_low_rate_is_to_be_raised_or_training_prolonged() -> None:
    assert warn(training={"learning_rate": 1e-5}) == (
        "random collapsed in 2 of 3 runs (always 'positive'): after 15 steps at learning rate 1e-5 nothing "
        "has been learnt yet. Try training.epochs=20 or tune: {learning_rate: [1e-5, 3e-5, 1e-4]}."
    )


def test_a_high_rate_is_to_be_lowered() -> None:
    message = warn("pretrained", training={"learning_rate": 1e-2})
    assert "at learning rate 0.01 nothing was learnt, and that rate is high for this method" in message
    assert message.endswith("Try tune: {learning_rate: [3e-5, 9e-5, 0.01]}.")


def test_a_study_that_counts_steps_is_told_steps() -> None:
    assert "Try training.steps=75 or tune" in warn(training={"learning_rate": 1e-5, "steps": 15})


def test_a_baseline_without_steps_has_no_rate_to_try() -> None:
    assert warn("words", arms={"pretrained": {}, "words": {"method": "bag-of-words"}}) == (
        "words collapsed in 2 of 3 runs (always 'positive'): no better than one answer for all texts."
    )


@pytest.mark.parametrize(("rate", "shown"), [(1e-5, "1e-5"), (2.5e-4, "2.5e-4"), (0.01, "0.01")])
def test_rates_are_written_as_people_do(rate: float, shown: str) -> None:
    assert format_rate(rate) == shown


def test_contrasts_know_how_many_runs_of_either_side_collapsed() -> None:
    (row,) = (row for row in findings_of().contrasts if row.metric == "accuracy")
    assert (row.n_collapsed, row.n_control_collapsed) == (None, None)
    counts = {"pretrained": 0, "random": 3}
    outcomes = [
        OutcomeRow(arm=arm, size="all", n_runs=3, n_failed=0, n_collapsed=count)
        for arm, count in counts.items()
    ]
    (marked,) = mark_contrasts([row], outcomes)
    assert (marked.n_collapsed, marked.n_control_collapsed) == (0, 3)
