"""Weights: one buffer whose views a module computes with, gradients beside it, members selected."""

from __future__ import annotations

import copy
import gc
import itertools
import weakref
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from headstart.engine.optim.decay import find_decaying_parameters
from headstart.engine.stack import stack
from headstart.engine.weights import Weights
from tiny import VOCABULARY, make_tiny_config, make_tiny_model, make_tiny_weights, max_difference

ALIGNED = 16
members = pytest.mark.parametrize("count", [1, 3])


def _models(count: int, family: str = "bert") -> list[Any]:
    return [make_tiny_model(family, seed=seed).eval() for seed in range(count)]


def _ids(rows: int) -> torch.Tensor:
    return torch.randint(4, VOCABULARY, (rows, 6), generator=torch.Generator().manual_seed(0))


def _made(count: int = 3, family: str = "bert") -> tuple[Weights, list[Any]]:
    """The weights of so many models, and these models over again."""
    return make_tiny_weights(_models(count, family)), _models(count, family)


def _says(weights: Weights, ids: torch.Tensor) -> list[torch.Tensor]:
    """Logits of each member for the same ids."""
    with torch.no_grad():
        logits: torch.Tensor = weights.module(ids.repeat(len(weights.values), 1)).logits
    return list(logits.chunk(len(weights.values)))


def _assert_follows(weights: Weights, models: list[Any]) -> None:
    ids = _ids(2)
    for logits, model in zip(_says(weights, ids), models, strict=True):
        assert max_difference(logits, model(ids).logits) < 1e-12


# Layout


@members
def test_what_decays_lies_before_what_does_not(count: int) -> None:
    weights, models = _made(count)
    decays = find_decaying_parameters(models[0])
    assert weights.layout.decaying_names == decays
    assert {slot.name for slot in weights.slots} == {name for name, _ in models[0].named_parameters()}
    for slot in weights.slots:
        part = weights.decayed if slot.name in decays else weights.exempt
        assert part.start <= slot.start < slot.stop <= part.stop
    assert (weights.decayed.start, weights.decayed.stop) == (0, weights.exempt.start)
    assert weights.exempt.stop == weights.values.shape[1]


@members
def test_parameters_are_aligned_and_apart(count: int) -> None:
    weights, _ = _made(count)
    assert all(slot.start % ALIGNED == 0 for slot in weights.slots)
    assert all(a.stop <= b.start < a.stop + ALIGNED for a, b in itertools.pairwise(weights.slots))
    assert weights.slots[-1].stop < weights.values.shape[1], "the case has a gap"
    assert weights.values.shape[1] % ALIGNED == 0


def test_gaps_between_parameters_are_zero_and_stay_so() -> None:
    weights, _ = _made()
    is_parameter = torch.zeros(weights.values.shape[1], dtype=torch.bool)
    for slot in weights.slots:
        is_parameter[slot.start : slot.stop] = True
    weights.module(_ids(6)).logits.square().sum().backward()
    assert not is_parameter.all()
    assert not weights.values[:, ~is_parameter].any()
    assert not weights.grads[:, ~is_parameter].any()
    assert weights.grads[:, is_parameter].any()


@members
def test_a_row_holds_its_members_weights_by_name(count: int) -> None:
    weights, models = _made(count)
    for row, model in zip(weights.values, models, strict=True):
        named = weights.layout.view_parameters(row)
        assert all(torch.equal(named[name], p) for name, p in model.named_parameters())


def test_a_model_of_which_nothing_decays() -> None:
    weights = Weights(stack(_models(2)), frozenset())
    assert weights.decayed == slice(0, 0)
    assert weights.exempt == slice(0, weights.values.shape[1])
    assert [len(leaf) for leaf in weights.create_leaves(1)] == [0, weights.values.shape[1]]


def test_a_model_of_which_everything_decays() -> None:
    models = _models(2)
    weights = Weights(stack(models), {name for name, _ in models[0].named_parameters()})
    assert weights.exempt == slice(weights.values.shape[1], weights.values.shape[1])
    assert [len(leaf) for leaf in weights.create_leaves(0)] == [weights.values.shape[1], 0]


@members
def test_frozen_parameters_have_no_place(count: int) -> None:
    models = _models(count)
    for model in models:
        model.bert.requires_grad_(False)
    weights = make_tiny_weights(models)
    assert [slot.name for slot in weights.slots] == ["classifier.weight", "classifier.bias"]
    _assert_follows(weights, _models(count))


@pytest.mark.parametrize("tied", [True, False])
@members
def test_tied_parameters_count_once(count: int, tied: bool) -> None:
    config = make_tiny_config("gpt2", tie_word_embeddings=tied)
    models = [AutoModelForCausalLM.from_config(config).double().eval() for _ in range(count)]
    expected = sum(-(-p.numel() // ALIGNED) * ALIGNED for p in models[0].parameters())
    weights, ids = make_tiny_weights(models), _ids(2)
    assert weights.values.shape == (count, expected)
    assert ("lm_head.weight" in {slot.name for slot in weights.slots}) != tied
    before = _says(weights, ids)
    table = weights.layout.view_parameters(weights.values[-1])["transformer.wte.weight"]
    table[:4] *= 3  # ids that do not occur in the texts: read by the head alone
    changed = [max_difference(a, b) > 1e-6 for a, b in zip(_says(weights, ids), before, strict=True)]
    assert changed == [False] * (count - 1) + [tied]


# Views


@members
def test_the_module_computes_what_it_did(count: int) -> None:
    _assert_follows(*_made(count))


@members
def test_what_is_written_to_a_row_changes_that_member_alone(count: int) -> None:
    weights, _ = _made(count)
    ids = _ids(2)
    before = _says(weights, ids)
    weights.values[count - 1] += 0.1
    changed = [max_difference(a, b) > 1e-3 for a, b in zip(_says(weights, ids), before, strict=True)]
    assert changed == [False] * (count - 1) + [True]


@members
def test_load_member_gives_a_member_a_models_weights(count: int) -> None:
    weights, models = _made(count)
    models[count - 1] = make_tiny_model(seed=77).eval()
    weights.load_member(count - 1, models[count - 1])
    _assert_follows(weights, models)


@members
def test_leaves_are_the_members_weights_and_gradients(count: int) -> None:
    weights, models = _made(count)
    leaves = weights.create_leaves(count - 1)
    assert [len(leaf) for leaf in leaves] == [p.stop - p.start for p in (weights.decayed, weights.exempt)]
    assert all(leaf.is_leaf and leaf.requires_grad for leaf in leaves)
    weights.grads[count - 1] = 2.0
    assert all(leaf.grad is not None and (leaf.grad == 2).all() for leaf in leaves)
    torch.optim.SGD(leaves, lr=0.05).step()
    with torch.no_grad():
        for parameter in models[count - 1].parameters():
            parameter.sub_(0.1)
    _assert_follows(weights, models)


# Gradients


def _loss(logits: torch.Tensor) -> torch.Tensor:
    return logits.square().sum()


def _expected(weights: Weights, models: list[Any], *batches: torch.Tensor) -> torch.Tensor:
    """The sum over batches of each model's own gradients, in the order of the buffer."""
    expected = torch.zeros_like(weights.values)
    for r, model in enumerate(models):
        model.zero_grad()
        for batch in batches:
            _loss(model(batch.chunk(len(models))[r]).logits).backward()  # type: ignore[no-untyped-call]
        parameters = dict(model.named_parameters())
        for slot in weights.slots:
            grad = parameters[slot.name].grad
            if grad is not None:
                expected[r, slot.start : slot.stop] = grad.flatten()
    return expected


@members
def test_gradients_of_two_passes_add_up_in_the_buffer(count: int) -> None:
    weights, models = _made(count)
    batches = [_ids(4 * count)[: 2 * count], _ids(4 * count)[2 * count :]]
    for batch in batches:
        _loss(weights.module(batch).logits).backward()  # type: ignore[no-untyped-call]
        assert all(parameter.grad is None for parameter in weights.module.parameters())
    assert max_difference(weights.grads, _expected(weights, models, *batches)) < 1e-9
    assert max_difference(weights.grads, _expected(weights, models, batches[0])) > 1e-6


@members
def test_forgotten_gradients_are_zero_and_the_next_step_is_whole(count: int) -> None:
    weights, models = _made(count)
    for batch in (_ids(2 * count), _ids(4 * count)):  # two passes, which touch other embedding rows
        _loss(weights.module(batch).logits).backward()  # type: ignore[no-untyped-call]
    weights.zero_gradients()
    assert not weights.grads.any()
    batch = _ids(2 * count)
    _loss(weights.module(batch).logits).backward()  # type: ignore[no-untyped-call]
    assert max_difference(weights.grads, _expected(weights, models, batch)) < 1e-9


def test_a_tied_table_has_its_whole_gradient() -> None:
    model = AutoModelForCausalLM.from_config(make_tiny_config("gpt2")).double().eval()
    assert model.lm_head.weight is model.get_input_embeddings().weight
    weights, plain = make_tiny_weights([copy.deepcopy(model)]), [model]
    _loss(weights.module(_ids(2)).logits).backward()  # type: ignore[no-untyped-call]
    assert max_difference(weights.grads, _expected(weights, plain, _ids(2))) < 1e-9
    weights.zero_gradients()
    assert not weights.grads.any()


@pytest.mark.parametrize("family", ["albert", "deberta-v2"])
def test_layers_used_many_times_collect_whole_gradients(family: str) -> None:
    weights, models = _made(2, family)
    _loss(weights.module(_ids(4)).logits).backward()  # type: ignore[no-untyped-call]
    assert max_difference(weights.grads, _expected(weights, models, _ids(4))) < 1e-9


@members
def test_what_nobody_holds_any_more_is_let_go(count: int) -> None:
    """At once, without a garbage collector: a worker trains one pack after another."""
    gc.collect()
    gc.disable()
    try:
        weights, _ = _made(count)
        _loss(weights.module(_ids(2 * count)).logits).backward()  # type: ignore[no-untyped-call]
        references = [weakref.ref(x) for x in (weights, weights.module, weights.values, weights.grads)]
        del weights
        assert [ref() for ref in references] == [None] * 4
    finally:
        gc.enable()


# Members selected


@pytest.mark.parametrize("rows", [[0], [2], [0, 2], [2, 1], [2, 0, 1]])
def test_selected_members_go_on_alone(rows: list[int]) -> None:
    weights, models = _made()
    weights.grads += 1
    weights.select(rows)
    assert len(weights.values) == len(weights.grads) == len(rows)
    assert not weights.grads.any()
    chosen = [models[r] for r in rows]
    _assert_follows(weights, chosen)
    batch = _ids(2 * len(rows))
    _loss(weights.module(batch).logits).backward()  # type: ignore[no-untyped-call]
    assert max_difference(weights.grads, _expected(weights, chosen, batch)) < 1e-9


def test_members_can_be_selected_again_and_again() -> None:
    weights, models = _made(4)
    weights.select([3, 1, 0])
    weights.select([2, 0])
    _assert_follows(weights, [models[0], models[3]])


def test_a_copy_of_members_leaves_the_module_alone_until_it_is_bound() -> None:
    weights, models = _made()
    copied = weights.copy_members([2, 0])
    _assert_follows(weights, models)
    copied.bind()
    _assert_follows(copied, [models[2], models[0]])
    weights.bind()
    _assert_follows(weights, models)


def test_copied_members_share_no_memory() -> None:
    weights, models = _made()
    copied = weights.copy_members([1])
    copied.values += 1
    _assert_follows(weights, models)
    copied.bind()
    weights.values += 1
    with torch.no_grad():
        for parameter in models[1].parameters():
            parameter.add_(1)
    _assert_follows(copied, [models[1]])


def test_gradients_go_to_the_weights_that_are_bound() -> None:
    weights, models = _made()
    copied, ids = weights.copy_members([2, 0]), _ids(4)
    copied.bind()
    _loss(weights.module(ids).logits).backward()  # type: ignore[no-untyped-call]
    assert not weights.grads.any()
    assert max_difference(copied.grads, _expected(copied, [models[2], models[0]], ids)) < 1e-9
    weights.bind()
    batch = _ids(6)
    _loss(weights.module(batch).logits).backward()  # type: ignore[no-untyped-call]
    assert max_difference(weights.grads, _expected(weights, models, batch)) < 1e-9


def test_copied_members_can_be_selected_from() -> None:
    weights, models = _made(4)
    copied = weights.copy_members([3, 2, 0])
    copied.bind()
    copied.select([2, 0])
    _assert_follows(copied, [models[0], models[3]])


def test_names_tell_members_of_all_sizes_alike() -> None:
    """A row of a pack is a row of the run alone: what is kept of one can be given to the other."""
    together, models = _made()
    alone = make_tiny_weights([models[1]])
    assert alone.slots == together.slots
    assert torch.equal(alone.values[0], together.values[1])
