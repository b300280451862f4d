"""A member's training: same seed same bits, best epoch, failures, and independence of its neighbours."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from transformers.modeling_outputs import SequenceClassifierOutput

from headstart.engine.train import Member, measure, member_turns, train
from tiny import Listening, tiny_model, tiny_run, tiny_setting


def _weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def _trained(seed: int = 0, dropout: float = 0.2, **training: Any) -> tuple[Member, Listening]:
    setting, heard = tiny_setting(curves=("valid", "test")), Listening()
    run = tiny_run(seed, **{"epochs": 3, **training})
    member = Member(run, tiny_model(dropout=dropout), np.arange(60))
    train([member], member.model, setting, heard)
    return member, heard


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before() -> None:
    one, _ = _trained(seed=3)
    torch.manual_seed(99)
    np.random.default_rng().random()
    other, _ = _trained(seed=3)
    assert torch.equal(_weights(one.model), _weights(other.model))


def test_another_seed_gives_others() -> None:
    assert not torch.equal(_weights(_trained(seed=3)[0].model), _weights(_trained(seed=4)[0].model))


def test_dropout_matters() -> None:
    assert not torch.equal(_weights(_trained(dropout=0.0)[0].model), _weights(_trained()[0].model))


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
    setting, heard = tiny_setting(), Listening()
    member = Member(tiny_run(epochs=1), tiny_model(), np.arange(60))
    train([member], member.model, setting, heard)
    assert heard.points[0].test is None


def test_afterwards_the_model_holds_its_best_epoch() -> None:
    member, heard = _trained(epochs=6, learning_rate=3e-2)
    values = [point.valid["accuracy"] for point in heard.points]
    best = member.best
    assert best is not None
    assert best.epoch == 1 + int(np.argmax(values))
    assert best.epoch < 6, "the case must exercise going back"
    assert measure(member.model, "valid", tiny_setting())["accuracy"] == max(values)
    assert measure(member.model, "test", tiny_setting()) == best.test


def test_equal_epochs_keep_the_earlier() -> None:
    member, heard = _trained(epochs=3, learning_rate=1e-12)
    assert len({point.valid["accuracy"] for point in heard.points}) == 1
    assert member.best is heard.points[0]


@pytest.mark.parametrize(("texts", "batch", "accumulation"), [(60, 7, 1), (60, 7, 4), (5, 8, 2)])
def test_every_text_is_learnt_from_once_an_epoch(texts: int, batch: int, accumulation: int) -> None:
    run = tiny_run(batch_size=batch, accumulation=accumulation, epochs=2)
    index = np.arange(texts)
    member = Member(run, tiny_model(), index)
    turns = list(member_turns(member, tiny_setting()))
    assert len(turns) == member.total
    for epoch in (1, 2):
        seen = np.concatenate([p for turn in turns if turn.epoch == epoch for p in turn.passes])
        assert sorted(seen) == list(index)
    assert [turn.ends_epoch for turn in turns].count(True) == 2


def test_steps_end_in_the_middle_of_an_epoch_with_an_evaluation() -> None:
    _, heard = _trained_steps(14)
    assert len(heard.losses) == 14
    assert [(point.epoch, point.step) for point in heard.points] == [(1, 10), (2, 14)]


def _trained_steps(steps: int) -> tuple[Member, Listening]:
    heard = Listening()
    member = Member(tiny_run(steps=steps), tiny_model(), np.arange(60))
    train([member], member.model, tiny_setting(), heard)
    return member, heard


def test_a_partial_batch_weighs_its_texts_like_any_other() -> None:
    """With accumulation over the whole epoch, the one step's loss is the mean over all texts."""
    setting, heard = tiny_setting(), Listening()
    model = tiny_model()
    whole = measure(model, "train", setting)["loss"]
    member = Member(tiny_run(batch_size=7, accumulation=9, epochs=1), model, np.arange(60))
    train([member], member.model, setting, heard)
    assert heard.losses == [pytest.approx(whole, abs=1e-12)]


def test_a_run_that_diverges_is_failed_and_says_where() -> None:
    member = Member(tiny_run(epochs=2), tiny_model(), np.arange(60))
    member.optimiser.register_step_post_hook(_overflow_after(13, member.model))
    train([member], member.model, tiny_setting(), Listening())
    assert str(member.error).startswith(
        "run arm/all/0: loss nan with a gradient of norm nan at step 14 of 20"
    )
    assert len(member.points) == 1


def _overflow_after(steps: int, model: torch.nn.Module) -> Callable[..., None]:
    """A hook that makes a weight infinite after so many optimiser steps."""
    counter = itertools.count(1)

    def hook(*_: object) -> None:
        if next(counter) == steps:
            with torch.no_grad():
                next(iter(model.parameters()))[4:].fill_(float("inf"))

    return hook


class _SideBySide(torch.nn.Module):
    """R models, each computing its own rows of [R*B, T] after the other: what stacking must equal."""

    def __init__(self, models: list[torch.nn.Module]) -> None:
        super().__init__()
        self.models = torch.nn.ModuleList(models)

    def forward(self, **inputs: torch.Tensor) -> SequenceClassifierOutput:
        rows = [{k: v.chunk(len(self.models))[r] for k, v in inputs.items()} for r in range(len(self.models))]
        logits = [model(**own).logits for model, own in zip(self.models, rows, strict=True)]
        return SequenceClassifierOutput(logits=torch.cat(logits))


def test_members_beside_each_other_are_the_runs_they_are_alone() -> None:
    """The member axis: other seeds, rates and clips side by side give each member's own run."""
    setting = tiny_setting()
    runs = [tiny_run(0, epochs=2), tiny_run(1, epochs=2, learning_rate=3e-3, clip=0.1)]
    alone = [Member(run, tiny_model(), np.arange(60)) for run in runs]
    for member in alone:
        train([member], member.model, setting, Listening())
    pack = [Member(run, tiny_model(), np.arange(60)) for run in runs]
    train(pack, _SideBySide([member.model for member in pack]), setting, Listening())
    for one, other in zip(alone, pack, strict=True):
        assert float((_weights(one.model) - _weights(other.model)).abs().max()) < 1e-9
        assert [p.valid for p in one.points] == [
            {k: pytest.approx(v, abs=1e-9) for k, v in p.valid.items()} for p in other.points
        ]


def test_a_member_that_fails_leaves_the_others_as_they_are() -> None:
    setting = tiny_setting()
    good = tiny_run(0, epochs=2)
    alone = Member(good, tiny_model(), np.arange(60))
    train([alone], alone.model, setting, Listening())
    broken = tiny_model()
    with torch.no_grad():
        next(iter(broken.parameters())).fill_(float("nan"))
    pack = [Member(good, tiny_model(), np.arange(60)), Member(tiny_run(1, epochs=2), broken, np.arange(60))]
    train(pack, _SideBySide([member.model for member in pack]), setting, Listening())
    assert pack[0].error is None
    assert pack[1].error is not None
    assert pack[1].best is None
    assert float((_weights(alone.model) - _weights(pack[0].model)).abs().max()) < 1e-9


def test_an_index_restricts_what_is_learnt_from() -> None:
    index = np.array([3, 5, 8, 13])
    member = Member(tiny_run(batch_size=2, epochs=1), tiny_model(), index)
    seen = np.concatenate([p for turn in member_turns(member, tiny_setting()) for p in turn.passes])
    assert sorted(seen) == sorted(index)


def test_deep_copies_train_alike() -> None:
    model = tiny_model(dropout=0.1)
    twin = copy.deepcopy(model)
    for m in (model, twin):
        member = Member(tiny_run(epochs=1), m, np.arange(60))
        train([member], m, tiny_setting(), Listening())
    assert torch.equal(_weights(model), _weights(twin))
