"""Figures that no run can have are found, and those that it can have are not."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.records import EpochPoint, Parameters
from headstart.store.record_bounds import find_impossible
from small_studies import make_record

POINT = {"step": 3, "train_loss": 0.5, "learning_rate": 1e-5, "valid": {"accuracy": 0.5}, "seconds": 1.0}


def point(epoch: int, **changes: Any) -> EpochPoint:
    return EpochPoint.model_validate(POINT | {"epoch": epoch} | changes)


@pytest.mark.parametrize(
    "scores",
    [
        {"accuracy": 0.0, "mcc": -1.0, "loss": 12.0},
        {"accuracy": 1.0, "pearson": 1.0, "rmse": 900.0},
        {"chrf": 100.0, "perplexity": None, "loss": None},
        {"a_metric_of_ones_own": -7.0},
    ],
)
def test_figures_that_a_run_can_have(scores: dict[str, float]) -> None:
    assert find_impossible(make_record(test=scores)) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": {"accuracy": 7.0}}, "test accuracy is 7: it lies between 0 and 1"),
        ({"test": {"accuracy": -0.1}}, "test accuracy is -0.1"),
        ({"test": {"mcc": 1.2}}, "test mcc is 1.2: it lies between -1 and 1"),
        ({"test": {"chrf": 101.0}}, "test chrf is 101"),
        ({"test": {"loss": -1.0}}, "test loss is -1"),
        ({"valid": None}, "has no valid metrics"),
        ({"valid": {"pearson": -2.0}}, "valid pearson is -2"),
        ({"train_examples": -8}, "train_examples is -8"),
        ({"seconds": -1.0}, "seconds is -1"),
        ({"seconds": float("inf")}, "seconds is inf"),
        ({"parameters": Parameters(total=-1, trainable=0)}, "parameters.total is -1"),
        ({"epochs": (point(1), point(1)), "best_epoch": 1}, "epochs are [1, 1]"),
        ({"epochs": (point(1), point(2)), "best_epoch": 3}, "best_epoch is 3"),
        ({"epochs": (point(1),)}, "best_epoch is None"),
        ({"epochs": (point(1, valid={"accuracy": 2.0}),), "best_epoch": 1}, "epoch 1: valid accuracy is 2"),
        ({"epochs": (point(1, step=-1),), "best_epoch": 1}, "epoch 1: step is -1"),
    ],
)
def test_figures_that_no_run_can_have(changes: dict[str, Any], message: str) -> None:
    record = make_record().model_copy(update=changes)
    assert message in str(find_impossible(record))
