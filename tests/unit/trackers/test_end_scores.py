"""What a run's end brings that its epochs did not."""

from __future__ import annotations

from headstart.records import EpochPoint
from headstart.trackers.end_scores import find_end_scores
from small_studies import make_record


def make_epoch(test: dict[str, float] | None) -> EpochPoint:
    return EpochPoint(
        epoch=1, step=1, train_loss=1.0, learning_rate=0.1, valid={"accuracy": 0.5}, test=test, seconds=1.0
    )


def test_what_every_epoch_brought_is_not_new() -> None:
    assert find_end_scores(make_record(epochs=(make_epoch({"accuracy": 0.5}),))) == {}


def test_the_test_is_new_where_no_curve_is_drawn_of_it() -> None:
    assert find_end_scores(make_record(epochs=(make_epoch(None),))) == {"test": {"accuracy": 0.5}}


def test_a_run_without_training_brings_all() -> None:
    scores = {"accuracy": 0.5}
    assert find_end_scores(make_record()) == {"valid": scores, "test": scores}
    assert find_end_scores(make_record(valid=None)) == {}
