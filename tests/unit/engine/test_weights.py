"""Weights: one buffer whose views a module computes with, gradients beside it, members selected."""

from __future__ import annotations

import copy
import gc
import itertools
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from headstart.config.study import Lora, Training
from headstart.engine.member import Member
from headstart.engine.optim.batched import BatchedAdamW
from headstart.engine.optim.decay import find_decaying_parameters
from headstart.engine.optim.per_member import PerMemberAdamW
from headstart.engine.stack import stack
from headstart.engine.train import train
from headstart.engine.weights import Weights
from headstart.methods.lora_layers import cast_base_to_bf16, inject_adapters
from tiny import (
    FAMILIES,
    VOCABULARY,
    EventRecorder,
    make_tiny_config,
    make_tiny_context,
    make_tiny_model,
    make_tiny_run,
    make_tiny_weights,
    max_difference,
)

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
    assert any(a.stop < b.start for a, b in itertools.pairwise(weights.slots)), "the case has a gap"
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


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2", "bloom", "llama", "mpnet"])
@members
def test_linear_maps_lie_side_by_side_around_the_border(count: int, family: str) -> None:
    weights, models = _made(count, family)
    names = {
        f"{path}.{name}"
        for path, module in models[0].named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
        for name, _ in module.named_parameters(recurse=False)
    }
    found = {slot.name for slot in weights.slots if weights.linear.start <= slot.start < weights.linear.stop}
    assert found == names
    assert weights.linear.start < weights.decayed.stop <= weights.linear.stop
    assert weights.linear.start % ALIGNED == weights.linear.stop % ALIGNED == 0


@members
def test_a_table_that_is_also_a_head_is_no_linear_map(count: int) -> None:
    config = make_tiny_config("gpt2", tie_word_embeddings=True)
    weights = make_tiny_weights([AutoModelForCausalLM.from_config(config) for _ in range(count)])
    (table,) = [slot for slot in weights.slots if slot.name.endswith("wte.weight")]
    assert table.stop <= weights.linear.start


def test_a_model_without_linear_maps_has_none() -> None:
    weights = Weights(torch.nn.LayerNorm(8), {"weight"})
    weights.keep_narrow_copy()
    assert weights.linear == slice(0, 0)
    assert {parameter.dtype for parameter in weights.module.parameters()} == {torch.float32}


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


@pytest.mark.parametrize("sparse", [None, True, False])
def test_an_embeddings_gradient_is_sparse_on_a_cpu_unless_told_otherwise(sparse: bool | None) -> None:
    (model,) = _models(1)
    weights = Weights(model, find_decaying_parameters(model), sparse_embeddings=sparse)
    assert model.get_input_embeddings().sparse is (sparse is not False)
    for _ in range(2):
        _loss(weights.module(_ids(2)).logits).backward()  # type: ignore[no-untyped-call]
        assert max_difference(weights.grads, _expected(weights, _models(1), _ids(2))) < 1e-9
        weights.zero_gradients()
        assert not weights.grads.any()


def test_an_embeddings_gradient_is_dense_elsewhere() -> None:
    model = make_tiny_model().to("meta")
    make_tiny_weights([model])
    assert not model.get_input_embeddings().sparse


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


# The copy in bf16


def _made_twice(count: int, family: str) -> tuple[Weights, Weights]:
    """The weights of models in float32, without the copy and with it."""
    plain, narrow = (make_tiny_weights([m.float() for m in _models(count, family)]) for _ in range(2))
    narrow.keep_narrow_copy()
    return plain, narrow


def _pass(weights: Weights, ids: torch.Tensor) -> torch.Tensor:
    """A pass there and back under autocast; gives the logits."""
    with torch.autocast("cpu", torch.bfloat16):
        logits: torch.Tensor = weights.module(ids).logits
    _loss(logits.float()).backward()  # type: ignore[no-untyped-call]
    return logits.detach()


def _assert_same_bits(plain: Weights, narrow: Weights, steps: int = 3) -> None:
    """In logits, gradients and, after steps, weights."""
    count = len(plain.values)
    settings = [Training(weight_decay=0.1 * r) for r in range(count)]
    optimisers = [BatchedAdamW(weights, settings) for weights in (plain, narrow)]
    for step in range(steps):
        batches = _ids(4 * count).chunk(2)
        for batch in batches:
            assert torch.equal(_pass(plain, batch), _pass(narrow, batch))
        assert torch.equal(plain.grads, narrow.grads)
        assert plain.grads.any(1).all()
        for optimiser in optimisers:
            optimiser.step([0.01 / (step + 1)] * count, [1.0] * count)
        assert torch.equal(plain.values, narrow.values)
        _assert_fresh(narrow)
        for weights in (plain, narrow):
            weights.zero_gradients()


def _assert_fresh(weights: Weights) -> None:
    assert weights.narrow is not None
    assert torch.equal(weights.narrow, weights.values[:, weights.linear].bfloat16())


#: Families that call one layer several times in a pass.
REPEATED = ("albert", "deberta-v2")


@pytest.mark.parametrize(
    ("family", "count"), [(name, n) for name in FAMILIES for n in (1, 3) if n == 1 or name not in REPEATED]
)
def test_the_copy_gives_the_bits_of_autocast(family: str, count: int) -> None:
    _assert_same_bits(*_made_twice(count, family))


@pytest.mark.parametrize("family", REPEATED)
def test_a_stacks_layers_called_many_times_add_up_their_gradients_in_bf16(family: str) -> None:
    plain, narrow = _made_twice(3, family)
    assert torch.equal(_pass(plain, _ids(6)), _pass(narrow, _ids(6)))
    scale = float(plain.grads.abs().max())
    assert 0 < max_difference(plain.grads, narrow.grads) < 2**-8 * scale


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@members
def test_a_language_model_with_the_copy_gives_the_bits_of_autocast(family: str, count: int) -> None:
    config = make_tiny_config(family)
    models = [AutoModelForCausalLM.from_config(config).eval() for _ in range(count)]
    plain, narrow = (make_tiny_weights(copy.deepcopy(models)) for _ in range(2))
    narrow.keep_narrow_copy()
    _assert_same_bits(plain, narrow)


@pytest.mark.parametrize("bias", ["none", "all"])
@pytest.mark.parametrize("family", ["roberta", "gpt2"])
@members
def test_adapters_with_the_copy_give_the_bits_of_autocast(family: str, count: int, bias: Any) -> None:
    pairs = []
    for _ in range(2):
        models = [make_tiny_model(family, seed=0).float() for _ in range(count)]
        for seed, model in enumerate(models):
            inject_adapters(model, Lora(r=4, bias=bias), seed)
            model.eval()
        pairs.append(make_tiny_weights(models))
        cast_base_to_bf16(pairs[-1].module)
    pairs[1].keep_narrow_copy()
    kept_wide = {torch.float32} if bias == "all" else set()  # the biases of norms
    found = {p.dtype for p in pairs[1].module.parameters() if p.requires_grad}
    assert found == {torch.bfloat16} | kept_wide
    _assert_same_bits(pairs[0], pairs[1])


def test_the_module_computes_with_linear_maps_in_bf16_and_the_rest_in_float32() -> None:
    _, weights = _made_twice(2, "bert")
    stacked: Any = weights.module
    kinds = {
        name: type(stacked.get_submodule(f"model.{name.rpartition('.')[0]}")).__name__
        for name, _ in stacked.model.named_parameters()
    }
    for name, parameter in stacked.model.named_parameters():
        is_linear = kinds[name] == "StackedLinear"
        assert parameter.dtype == (torch.bfloat16 if is_linear else torch.float32), name
    assert set(kinds.values()) == {"StackedLinear", "StackedEmbedding", "StackedNorm"}
    assert weights.values.dtype == weights.grads.dtype == torch.float32


def test_each_optimiser_keeps_the_copy_up_to_date() -> None:
    _, weights = _made_twice(2, "bert")
    for optimiser in (BatchedAdamW(weights, [Training()] * 2), PerMemberAdamW(weights, [Training()] * 2)):
        weights.grads.fill_(0.1)
        assert weights.narrow is not None
        before = weights.narrow.clone()
        optimiser.step([0.1, 0.1], [1.0, 1.0])
        assert not torch.equal(weights.narrow, before)
        _assert_fresh(weights)


@pytest.mark.parametrize("rows", [[2], [2, 0], [1, 2, 0]])
@pytest.mark.parametrize("copied", [False, True], ids=["selected", "copied"])
def test_members_that_are_selected_take_their_copy_along(rows: list[int], copied: bool) -> None:
    plain, narrow = _made_twice(3, "bert")
    if copied:
        whole = narrow
        plain, narrow = (weights.copy_members(rows) for weights in (plain, narrow))
        assert whole.narrow is not None
        assert len(whole.narrow) == 3
    else:
        for weights in (plain, narrow):
            weights.select(rows)
    for weights in (plain, narrow):
        weights.bind()
    _assert_fresh(narrow)
    _assert_same_bits(plain, narrow)


def test_weights_that_are_loaded_or_written_reach_the_copy() -> None:
    plain, narrow = _made_twice(3, "bert")
    for weights in (plain, narrow):
        weights.load_member(1, make_tiny_model(seed=77).float())
    _assert_fresh(narrow)
    for weights in (plain, narrow):
        weights.values[2] *= 0.5
        weights.refresh_narrow()
    _assert_same_bits(plain, narrow)


def test_training_to_the_end_with_the_copy_gives_the_bits_of_autocast() -> None:
    """With dropout, epochs that are evaluated, and members that leave the pack one after the other."""
    runs = [make_tiny_run(seed, epochs=1 + seed, learning_rate=1e-2) for seed in range(3)]
    context = replace(make_tiny_context(), precision="bf16")
    pairs = []
    for is_narrow in (False, True):
        members = [Member(run, np.arange(60)) for run in runs]
        weights = make_tiny_weights([make_tiny_model(seed=i, dropout=0.2).float() for i in range(3)])
        if is_narrow:
            weights.keep_narrow_copy()
        optimiser = BatchedAdamW(weights, [run.training for run in runs])
        train(members, weights, context, EventRecorder(), optimiser=optimiser)
        pairs.append(members)
    for mine, its in zip(*pairs, strict=True):
        assert mine.losses == its.losses
        assert mine.weights is not None
        assert its.weights is not None
        assert torch.equal(mine.weights, its.weights)


def test_freed_weights_leave_no_copy() -> None:
    _, weights = _made_twice(3, "bert")
    references = [weakref.ref(x) for x in (weights.values, weights.grads, weights.narrow)]
    weights.free()
    gc.collect()
    assert [ref() for ref in references] == [None] * 3
    assert all(parameter.numel() == 0 for parameter in weights.module.parameters())


def test_a_copy_that_is_not_to_train_takes_no_memory_for_gradients() -> None:
    weights = make_tiny_weights([make_tiny_model(seed=r) for r in range(3)])
    copied = weights.copy_members([2, 0], trains=False)
    assert copied.grads.numel() == 0
    assert torch.equal(copied.values, weights.values[[2, 0]])
    assert weights.grads.shape == weights.values.shape
