"""A run's test as metrics of its examples; of a language model what it scores on each by itself, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from headstart.stats.answers import compute_chrf
from headstart.stats.measures import (
    ExampleMetric,
    MeanMeasure,
    SumsMeasure,
    measure_classes,
    measure_labels,
    measure_numbers,
    measure_tokens,
)
from headstart.stats.metrics import divide_or_zero
from headstart.store.prediction_tables import Predictions
from headstart.store.predictions import TOKEN_METRICS

#: Returns the test predictions of the run with a key, for a metric, where they are known.
ReadPredictions = Callable[[str, str], Predictions | None]


@dataclass(frozen=True)
class MeasuredTest:
    """A run's test: its metrics as functions of the examples, and a digest that tells test sets apart.

    `groups` [N] are those of its examples; None where each is by itself. `by_prompt` are, by metric, a
    language model's scores [N] on each example by itself: the very thing that is compared where arms win
    prompts; empty for others.
    """

    measures: Mapping[str, ExampleMetric]
    digest: str
    n_examples: int
    groups: np.ndarray | None = None
    by_prompt: Mapping[str, np.ndarray] = field(default_factory=dict)


def read_tests(key: str, metrics: Iterable[str], read: ReadPredictions) -> dict[str, MeasuredTest]:
    """By metric, the test of one run, where its predictions are there."""
    tests: dict[str, MeasuredTest] = {}
    known: list[tuple[Predictions, MeasuredTest]] = []
    for metric in metrics:
        test = next((test for predictions, test in known if _can_tell(predictions, metric)), None)
        if test is None and (predictions := read(key, metric)) is not None:
            test = _measure_test(predictions)
            known.append((predictions, test))
        if test is not None:
            tests[metric] = test
    return tests


def _measure_test(predictions: Predictions) -> MeasuredTest:
    return MeasuredTest(
        measures=measure_predictions(predictions),
        digest=predictions.digest,
        n_examples=len(predictions.y_true),
        groups=predictions.groups,
        by_prompt=score_prompts(predictions),
    )


def _can_tell(predictions: Predictions, metric: str) -> bool:
    """Whether a metric is of these: a language model's tokens and its written answers lie in two files."""
    if predictions.kind in ("tokens", "answers"):
        return (predictions.kind == "tokens") == (metric in TOKEN_METRICS)
    return True


def count_majority(predictions: Predictions) -> int | None:
    """How many examples are of the most frequent class; None without classes."""
    return int(np.bincount(predictions.y_true).max()) if predictions.kind == "classes" else None


def measure_predictions(predictions: Predictions) -> dict[str, ExampleMetric]:
    """Every metric that predictions tell, as a function of the examples."""
    y_true, y_pred, losses = predictions.y_true, predictions.y_pred, predictions.losses
    if predictions.kind == "tokens" and losses is not None:
        return dict(measure_tokens(y_true, losses, y_pred))
    measures: dict[str, ExampleMetric]
    if predictions.kind == "classes":
        measures = dict(measure_classes(y_true, y_pred, predictions.classes))
    elif predictions.kind == "labels":
        measures = dict(measure_labels(y_true, y_pred))
    elif predictions.kind == "numbers":
        measures = dict(measure_numbers(y_true, y_pred))
    else:
        measures = _measure_answers(predictions)
    return measures if losses is None else measures | {"loss": MeanMeasure(losses)}


def _measure_answers(predictions: Predictions) -> dict[str, ExampleMetric]:
    """Of written answers; chrF is the corpus's, of sums over examples."""
    measures: dict[str, ExampleMetric] = {"exact_match": MeanMeasure(predictions.y_pred)}
    if predictions.stopped is not None:
        measures["stopped"] = MeanMeasure(predictions.stopped)
    if predictions.answers is not None:
        measures["chrf"] = SumsMeasure(predictions.answers.chrf_counts.astype(float), compute_chrf)
        measures["token_f1"] = MeanMeasure(predictions.answers.token_f1)
    return measures


def score_prompts(predictions: Predictions) -> dict[str, np.ndarray]:
    """What a language model scores on each example by itself, [N] by metric; empty for other models.

    chrF is that of the one answer, the loss that of a token of the one conversation.
    """
    y_true, losses, answers = predictions.y_true, predictions.losses, predictions.answers
    if predictions.kind == "tokens" and losses is not None:
        loss, hits = (divide_or_zero(sums, y_true) for sums in (losses, predictions.y_pred))
        # Perplexity rises with the loss, and may have no number.
        return {"loss": loss, "perplexity": loss, "token_accuracy": hits}
    if answers is None:
        return {}
    return {"exact_match": answers.exact_match, "chrf": answers.chrf, "token_f1": answers.token_f1}
