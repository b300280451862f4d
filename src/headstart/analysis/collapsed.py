"""Finds runs that collapsed: whose model gives one answer to nearly all, or never left the loss of guessing.

docs/decisions/043 says why these rules. A run that is merely no better than the majority class has not
collapsed: it may have learnt its training examples by heart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from headstart.analysis.measured_tests import ReadPredictions
from headstart.analysis.study_runs import StudyRuns
from headstart.config.arm_settings import ArmRates, find_rates, is_drawn_in_part, resolve_training
from headstart.config.study import Study
from headstart.config.traits import get_method_traits, get_task_traits
from headstart.records import Collapse, CollapsedArm, Contrast, OutcomeRow, RunRecord
from headstart.stats.one_answer import (
    find_common_answer,
    has_left_guessing,
    is_no_better,
    is_one_answer,
    is_one_number,
    number_sets,
)
from headstart.store.prediction_tables import Predictions

#: Epochs for small training sets that Mosbach, Andriushchenko & Klakow 2021 recommend, "On the stability of
#: fine-tuning BERT", against runs that fail.
_EPOCHS: Final = 20
#: In place of epochs where the study counts steps.
_MORE_STEPS: Final = 5
#: Above this multiple of the rate that suits its method, a rate is more likely too high than too low; random
#: weights take more.
_HIGH: Final = 10.0
_HIGH_RANDOM: Final = 100.0


def find_collapse(study: Study, record: RunRecord, read: ReadPredictions) -> Collapse | None:
    """How a run collapsed; None where it did not, or nothing is known of it.

    Raises:
        DamagedFileError: its predictions cannot be read.
    """
    predictions = read_labelled(study, record, read)
    return None if predictions is None else judge_predictions(record, predictions)


def read_labelled(study: Study, record: RunRecord, read: ReadPredictions) -> Predictions | None:
    """What a run predicted of labels on test; None where that is not known, or the task has no labels.

    Raises:
        DamagedFileError: its predictions cannot be read.
    """
    if record.test is None or get_task_traits(study.task).labels == "conversation":
        return None
    return read(record.key, study.metric)


def read_first_labelled(runs: StudyRuns, read: ReadPredictions) -> Predictions | None:
    """The predictions of the first of the study's runs that has any, of one example or more: all know the
    same test.

    Raises:
        DamagedFileError: its predictions cannot be read.
    """
    known = (read_labelled(runs.study, run, read) for run in runs.chosen)
    return next((one for one in known if one is not None and len(one.y_true)), None)


def judge_predictions(record: RunRecord, predictions: Predictions) -> Collapse | None:
    """The same, from what it predicted of the test examples."""
    loss = record.epochs[-1].train_loss if record.epochs else None
    if predictions.kind == "numbers":
        return _judge_numbers(predictions, loss)
    if predictions.kind not in ("classes", "labels"):
        return None
    y_true, y_pred = predictions.y_true, predictions.y_pred
    if predictions.kind == "labels":
        y_true, y_pred = number_sets(y_true, y_pred)
    common = find_common_answer(y_true, y_pred)
    chance_loss = math.log(2 if predictions.kind == "labels" else max(2, predictions.classes))
    has_one = is_one_answer(y_true, y_pred)
    is_at_chance = loss is not None and not has_left_guessing(loss, chance_loss)
    if not has_one and not (is_at_chance and is_no_better(y_true, common.right)):
        return None
    return Collapse(
        reason="one answer" if has_one else "loss",
        answer=_name_answer(predictions, int(np.flatnonzero(y_pred == common.answer)[0])),
        count=common.count,
        n_examples=len(y_true),
        right=common.right,
        loss=loss,
        chance_loss=chance_loss,
    )


def _judge_numbers(predictions: Predictions, loss: float | None) -> Collapse | None:
    y_true, y_pred = predictions.y_true, predictions.y_pred
    if not is_one_number(y_true, y_pred):
        return None
    answer = f"about {float(np.mean(y_pred)):.4g}"
    return Collapse(reason="one answer", answer=answer, count=len(y_pred), n_examples=len(y_pred), loss=loss)


def _name_answer(predictions: Predictions, example: int) -> str:
    """What is predicted of an example: a class in quotation marks, or labels in brackets."""
    answer = predictions.y_pred[example]
    if predictions.kind == "classes":
        return repr(predictions.names[answer])
    return f"[{', '.join(np.array(predictions.names, object)[answer > 0])}]"


def sum_up_collapse(
    study: Study, arm: str, runs: Sequence[RunRecord], collapses: Sequence[Collapse]
) -> CollapsedArm | None:
    """What the collapsed `runs` of an arm have in common, and what to try; None where there are none."""
    if not collapses:
        return None
    section = study.arms[arm]
    have_one = all(collapse.reason == "one answer" for collapse in collapses)
    answers = {collapse.answer for collapse in collapses}
    share = min(collapse.count / collapse.n_examples for collapse in collapses)
    found = CollapsedArm(
        answer=next(iter(answers)) if have_one and len(answers) == 1 else None,
        answer_share=share if have_one else None,
        random_init=section.init == "random" and get_method_traits(section.method).has_checkpoint,
    )
    rates = find_rates(study, section)
    if rates is None:
        return found
    return found.model_copy(update=_describe_training(study, arm, runs, rates))


def _describe_training(study: Study, arm: str, runs: Sequence[RunRecord], rates: ArmRates) -> dict[str, Any]:
    """What the runs trained with, the most of several, and what to try."""
    training = resolve_training(study, study.arms[arm])
    tuned = max((run.hyperparameters.get("learning_rate", 0.0) for run in runs), default=0.0)
    rate = tuned or training.peak_rate
    is_high = rate > rates.suits_method * (_HIGH_RANDOM if is_drawn_in_part(study.arms[arm].init) else _HIGH)
    last = max((run.epochs[-1] for run in runs if run.epochs), key=lambda point: point.step, default=None)
    trained = {"learning_rate": rate, "rate_is_high": is_high, "try_rates": _suggest_rates(rates, is_high)}
    if last is None:
        return trained
    trained |= {"steps": last.step, "epochs": last.epoch}
    if is_high or last.epoch >= _EPOCHS:
        return trained
    return trained | (
        {"try_epochs": _EPOCHS} if training.steps is None else {"try_steps": _MORE_STEPS * last.step}
    )


def _suggest_rates(rates: ArmRates, is_high: bool) -> tuple[float, ...]:
    """Rates below or above those that the arm tried, with the nearest of these."""
    usual, most = rates.suits_method, max(rates.values)
    tried = (usual, 3 * usual, min(rates.values)) if is_high else (most, max(usual, 3 * most), 10 * most)
    # With two digits, as people write them, and none twice.
    return tuple(sorted({float(f"{value:.1e}") for value in tried}))


def mark_contrasts(contrasts: Sequence[Contrast], outcomes: Sequence[OutcomeRow]) -> tuple[Contrast, ...]:
    """The contrasts with how many runs of either side collapsed."""
    counts = {(row.arm, row.size): row.n_collapsed for row in outcomes}
    return tuple(
        row.model_copy(
            update={
                "n_collapsed": counts.get((row.arm, row.size)),
                "n_control_collapsed": counts.get((row.control, row.size)),
            }
        )
        for row in contrasts
    )
