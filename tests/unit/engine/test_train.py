"""A member's training: same seed same bits, best epoch, failures, and independence of its neighbours."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from headstart.engine.epochs import evaluate_part
from headstart.engine.evaluate import require_scores
from headstart.engine.member import Member, iter_step_batches
from headstart.engine.train import train
from headstart.errors import TrainingError
from tiny import (
    EventRecorder,
    make_tiny_context,
    make_tiny_model,
    make_tiny_run,
    make_tiny_weights,
    train_members,
)
from watched import watch_optimiser


def _trained(seed: int = 0, dropout: float = 0.2, **training: Any) -> tuple[Member, EventRecorder]:
    context, heard = make_tiny_context(curves=("valid", "test")), EventRecorder()
    run = make_tiny_run(seed, **{"epochs": 3, **training})
    (member,), _ = train_members([run], [make_tiny_model(dropout=dropout)], context, heard)
    return member, heard


def _equal(first: Member, other: Member) -> bool:
    assert first.weights is not None
    assert other.weights is not None
    return torch.equal(first.weights, other.weights)


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before() -> None:
    first, _ = _trained(seed=3)
    torch.manual_seed(99)
    np.random.default_rng().random()
    other, _ = _trained(seed=3)
    assert _equal(first, other)


def test_another_seed_gives_others() -> None:
    assert not _equal(_trained(seed=3)[0], _trained(seed=4)[0])


def test_dropout_matters() -> None:
    assert not _equal(_trained(dropout=0.0)[0], _trained()[0])


def test_the_first_epochs_depend_on_nothing_but_seed_and_schedule() -> None:
    _, short = _trained(epochs=2, schedule="constant", warmup=0)
    _, long = _trained(epochs=4, schedule="constant", warmup=0)
    assert long.losses[:20] == short.losses
    assert [point.valid for point in long.points[:2]] == [point.valid for point in short.points]


def test_each_epoch_gives_a_point_with_what_was_asked_for() -> None:
    _, heard = _trained()
    assert [(point.epoch, point.step) for point in heard.points] == [(1, 10), (2, 20), (3, 30)]
    assert all(point.test and "accuracy" in point.test for point in heard.points)
    assert heard.points[0].train_loss == pytest.approx(np.mean(heard.losses[:10]))


def test_the_test_is_not_touched_unless_asked() -> None:
    heard = EventRecorder()
    train_members([make_tiny_run(epochs=1)], [make_tiny_model()], heard=heard)
    assert heard.points[0].test is None


@pytest.mark.parametrize("curves", [("valid",), ("valid", "test"), ("test",)])
def test_each_part_is_measured_once_an_epoch(curves: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def counting(module: Any, part: Any, *more: Any) -> Any:
        measured.append(part)
        return evaluate_part(module, part, *more)

    monkeypatch.setattr("headstart.engine.epochs.evaluate_part", counting)
    train_members([make_tiny_run(epochs=2)], [make_tiny_model()], make_tiny_context(curves=curves))
    assert sorted(measured) == sorted([*{"valid", *curves}] * 2)


def test_afterwards_a_member_holds_the_weights_of_its_best_epoch() -> None:
    context, heard, model = make_tiny_context(curves=("valid", "test")), EventRecorder(), make_tiny_model()
    (member,), weights = train_members([make_tiny_run(epochs=6, learning_rate=3e-2)], [model], context, heard)
    values = [point.valid["accuracy"] for point in heard.points]
    best = member.best
    assert best is not None
    assert best.epoch == 1 + int(np.argmax(values))
    assert best.epoch < 6, "the case must exercise going back"
    assert member.weights is not None
    model.load_state_dict(weights.layout.view_parameters(member.weights), strict=False)
    assert require_scores(*evaluate_part(model, "valid", context))["accuracy"] == max(values)
    assert evaluate_part(model, "test", context) == [best.test]


def test_equal_epochs_keep_the_earlier() -> None:
    member, heard = _trained(epochs=3, learning_rate=1e-12)
    assert len({point.valid["accuracy"] for point in heard.points}) == 1
    assert member.best is heard.points[0]


@pytest.mark.parametrize(("texts", "batch", "accumulation"), [(60, 7, 1), (60, 7, 4), (5, 8, 2)])
def test_every_text_is_learnt_from_once_an_epoch(texts: int, batch: int, accumulation: int) -> None:
    run = make_tiny_run(batch_size=batch, accumulation=accumulation, epochs=2)
    index = np.arange(texts)
    member = Member(run, index)
    steps = list(iter_step_batches(member, make_tiny_context()))
    assert len(steps) == member.total_steps
    for epoch in (1, 2):
        seen = np.concatenate([p for turn in steps if turn.epoch == epoch for p in turn.batches])
        assert sorted(seen) == list(index)
    assert [turn.ends_epoch for turn in steps].count(True) == 2


def test_steps_end_in_the_middle_of_an_epoch_with_an_evaluation() -> None:
    _, heard = _trained_steps(14)
    assert len(heard.losses) == 14
    assert [(point.epoch, point.step) for point in heard.points] == [(1, 10), (2, 14)]


def _trained_steps(steps: int) -> tuple[Member, EventRecorder]:
    heard = EventRecorder()
    (member,), _ = train_members([make_tiny_run(steps=steps)], [make_tiny_model()], heard=heard)
    return member, heard


def test_a_partial_batch_weighs_its_texts_like_any_other() -> None:
    """With accumulation over the whole epoch, the one step's loss is the mean over all texts."""
    context, heard = make_tiny_context(), EventRecorder()
    model = make_tiny_model()
    expected_loss = require_scores(*evaluate_part(model, "train", context))["loss"]
    train_members([make_tiny_run(batch_size=7, accumulation=9, epochs=1)], [model], context, heard)
    assert heard.losses == [pytest.approx(expected_loss, abs=1e-12)]


def test_a_run_that_diverges_is_failed_and_says_where() -> None:
    member, weights = Member(make_tiny_run(epochs=2), np.arange(60)), make_tiny_weights([make_tiny_model()])
    optimiser = watch_optimiser(weights, [member], {0: 13})
    train([member], weights, make_tiny_context(), EventRecorder(), optimiser=optimiser)
    assert member.weights is None
    assert str(member.error).startswith(
        "run arm/all/0: loss nan with a gradient of norm nan at step 14 of 20"
    )
    assert len(member.epochs) == 1


def _break_outputs(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Have the outputs of a stack's member be no numbers at its second evaluation."""
    epochs = itertools.count(1)

    def spoil(module: Any, part: Any, *more: Any) -> Any:
        scores = evaluate_part(module, part, *more)
        if next(epochs) == 2:
            scores[seed] = TrainingError("the model's outputs for example 1 are nan or infinite")
        return scores

    monkeypatch.setattr("headstart.engine.epochs.evaluate_part", spoil)


def _train_three() -> list[Member]:
    runs = [make_tiny_run(seed, epochs=3, learning_rate=1e-2) for seed in range(3)]
    members, _ = train_members(runs, [make_tiny_model(seed=seed) for seed in range(3)])
    return members


def test_a_run_whose_outputs_are_no_numbers_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = _train_three()
    _break_outputs(monkeypatch, seed=1)
    first, broken, last = _train_three()
    assert str(broken.error) == (
        "run arm/all/1, after step 20 of 30: the model's outputs for example 1 are nan or infinite"
    )
    assert broken.weights is None
    assert [point.epoch for point in broken.epochs] == [1]
    for member, other in ((first, undisturbed[0]), (last, undisturbed[2])):
        assert member.error is None
        assert member.losses == other.losses
        assert member.weights is not None
        assert other.weights is not None
        assert torch.equal(member.weights, other.weights)


def test_an_index_restricts_what_is_learnt_from() -> None:
    index = np.array([3, 5, 8, 13])
    member = Member(make_tiny_run(batch_size=2, epochs=1), index)
    seen = np.concatenate(
        [p for turn in iter_step_batches(member, make_tiny_context()) for p in turn.batches]
    )
    assert sorted(seen) == sorted(index)


def test_a_run_out_of_patience_ends_with_its_best_epoch() -> None:
    member, heard = _trained(epochs=20, learning_rate=1e-12, patience=2)
    assert [point.epoch for point in heard.points] == [1, 2, 3]
    assert member.best is heard.points[0]
    assert (member.steps, member.total_steps, member.error) == (30, 200, None)


def test_patience_starts_again_with_every_better_epoch() -> None:
    _, without_patience = _trained(epochs=8, learning_rate=3e-3)
    _, heard = _trained(epochs=8, learning_rate=3e-3, patience=3)
    best = [point.epoch for point in without_patience.best]
    expected = next((e for e, b in enumerate(best, start=1) if e - b >= 3), 8)
    assert [p.valid for p in heard.points] == [p.valid for p in without_patience.points[:expected]]
