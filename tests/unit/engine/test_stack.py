"""Stacking: the public names, what stays as it was, and what is refused with a reason a user can act on."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, LongformerConfig
from transformers.modeling_outputs import SequenceClassifierOutput

import headstart
from headstart import Stack, stack, unstack
from headstart.engine.stackable_layers import find_stacking_obstacle
from headstart.errors import StackError
from headstart.models.vocabulary import CompactEmbedding, compact_embedding
from tiny import PAD, VOCABULARY, make_tiny_config, make_tiny_model, max_difference

USED = np.array([PAD, 4, 5, 9, 11, 20, 33, 48])
CHECK_TOKENS = 7


def _ids(rows: int, tokens: int = 6) -> torch.Tensor:
    return torch.randint(4, VOCABULARY, (rows, tokens), generator=torch.Generator().manual_seed(0))


def _models(count: int = 3, family: str = "bert") -> list[Any]:
    return [make_tiny_model(family, seed=seed).eval() for seed in range(count)]


# The public names


def test_the_names_are_public() -> None:
    assert {"Stack", "stack", "unstack"} <= set(headstart.__all__)
    together = headstart.stack(_models())
    assert isinstance(together, headstart.Stack)
    assert isinstance(headstart.unstack(together, 0), nn.Module)


def test_a_stack_tells_its_members_and_their_configuration() -> None:
    models = _models()
    together = stack(models)
    assert together.members == 3
    assert together.config.to_dict() == models[0].config.to_dict()


def test_parameters_keep_their_names_below_model_and_gain_a_dimension() -> None:
    models = _models()
    shapes = {name: tuple(p.shape) for name, p in stack(models).named_parameters()}
    assert shapes == {f"model.{name}": (3, *p.shape) for name, p in models[0].named_parameters()}


def test_one_model_can_be_a_stack() -> None:
    (model,) = _models(1)
    together, ids = stack([model]), _ids(4)
    assert together.members == 1
    assert max_difference(together(ids).logits, model(ids).logits) < 1e-12


# Forward


def test_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="give each member its own loss"):
        stack(_models())(_ids(3), labels=torch.zeros(3, dtype=torch.long))


def test_labels_that_are_none_are_none() -> None:
    assert stack(_models())(_ids(3), labels=None).logits.shape == (3, 3)


@pytest.mark.parametrize("rows", [1, 2, 4, 5])
def test_rows_that_cannot_be_shared_out_are_refused(rows: int) -> None:
    with pytest.raises(ValueError, match=f"{rows} rows cannot be shared out to 3 members"):
        stack(_models())(_ids(rows))


def test_rows_are_refused_after_a_batch_that_fitted() -> None:
    together = stack(_models())
    together(_ids(6))
    with pytest.raises(ValueError, match="4 rows cannot be shared out"):
        together(_ids(4))


# Apart again


@pytest.mark.parametrize("r", [-1, 3, 100])
def test_there_is_no_such_member(r: int) -> None:
    with pytest.raises(IndexError, match=f"member {r} of a stack of 3"):
        unstack(stack(_models()), r)


def test_what_is_taken_out_has_weights_of_its_own() -> None:
    together, ids = stack(_models()), _ids(3)
    before = together(ids).logits
    with torch.no_grad():
        for parameter in unstack(together, 1).parameters():
            parameter.fill_(7.0)
    assert torch.equal(together(ids).logits, before)


def test_what_is_taken_out_knows_nothing_of_stacks() -> None:
    for family in ("mpnet", "deberta-v2", "gpt2"):
        models = _models(2, family)
        unstacked = unstack(stack(models), 1)
        assert [type(m) for m in unstacked.modules()] == [type(m) for m in models[1].modules()]
        methods = {"compute_position_bias", "disentangled_attention_bias"}
        assert not any(methods & vars(module).keys() for module in unstacked.modules())


# What stays as it was


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_stays(training: bool) -> None:
    models = [model.train(training) for model in _models()]
    together = stack(models)
    assert {m.training for m in together.modules()} == {training}
    assert {m.training for m in unstack(together, 1).modules()} == {training}
    assert {m.training for model in models for m in model.modules()} == {training}


def test_the_models_given_are_not_changed() -> None:
    models, ids = _models(family="roberta"), _ids(2)
    weights = [copy.deepcopy(model.state_dict()) for model in models]
    kinds = [[type(m) for m in model.modules()] for model in models]
    logits = [model(ids).logits for model in models]
    together = stack(models)
    together(_ids(3)).logits.sum().backward()
    with torch.no_grad():
        for parameter in together.parameters():
            parameter.zero_()
    assert [[type(m) for m in model.modules()] for model in models] == kinds
    for model, before, expected in zip(models, weights, logits, strict=True):
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())
        assert torch.equal(model(ids).logits, expected)


def test_torch_draws_the_same_numbers_after_a_stack_was_made() -> None:
    models = _models()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    stack(models)
    assert torch.equal(torch.rand(3), expected)


def test_the_number_format_stays() -> None:
    models, ids = [model.float() for model in _models()], _ids(6)
    together = stack(models)
    logits = together(ids).logits
    assert {p.dtype for p in together.parameters()} == {logits.dtype} == {torch.float32}
    for r, model in enumerate(models):
        assert max_difference(logits.chunk(3)[r], model(ids.chunk(3)[r]).logits) < 1e-5


def test_a_stack_can_be_moved_to_another_number_format() -> None:
    """The norms' neutral parts, which no state holds, must come along."""
    for family in ("bert", "llama"):
        models, ids = _models(2, family), _ids(4)
        logits = stack(models).float()(ids).logits
        assert logits.dtype == torch.float32
        expected = torch.cat(
            [m.float()(member_ids).logits for m, member_ids in zip(models, ids.chunk(2), strict=True)]
        )
        assert max_difference(logits, expected) < 1e-5


def test_models_tied_and_not_tied_are_refused() -> None:
    """The first is tied, one in the middle is not: its second table would be lost."""
    models: list[Any] = [
        AutoModelForMaskedLM.from_config(make_tiny_config("bert")).double() for _ in range(3)
    ]
    decoder = models[1].cls.predictions.decoder
    decoder.weight = nn.Parameter(decoder.weight.detach() + 1)
    with pytest.raises(StackError, match="decoder"):
        stack(models)


def test_frozen_parameters_stay_frozen() -> None:
    models = _models()
    for model in models:
        model.bert.embeddings.requires_grad_(False)
    together = stack(models)
    frozen = {name for name, p in together.named_parameters() if not p.requires_grad}
    assert frozen == {
        f"model.bert.embeddings.{name}" for name, _ in models[0].bert.embeddings.named_parameters()
    }
    together(_ids(3)).logits.sum().backward()
    assert all((p.grad is None) == (name in frozen) for name, p in together.named_parameters() if _used(name))
    parameters = dict(unstack(together, 2).named_parameters())
    assert {f"model.{name}" for name, p in parameters.items() if not p.requires_grad} == frozen


def _used(name: str) -> bool:
    return "position" not in name


@pytest.mark.parametrize("family", ["mpnet", "deberta-v2", "bert"])
def test_a_copy_of_a_stack_uses_its_own_weights(family: str) -> None:
    together, ids = stack(_models(2, family)), _ids(4)
    before = together(ids).logits
    copied = copy.deepcopy(together)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.add_(torch.linspace(0, 1, parameter.numel(), dtype=parameter.dtype).view_as(parameter))
    assert torch.equal(together(ids).logits, before)
    changed = copied(ids).logits
    assert max_difference(changed, before) > 1e-3
    for r in range(2):
        assert max_difference(changed.chunk(2)[r], unstack(copied, r)(ids.chunk(2)[r]).logits) < 1e-9


@pytest.mark.parametrize("family", ["mpnet", "deberta-v2"])
def test_relative_positions_follow_the_copy_they_are_in(family: str) -> None:
    """The methods that a stack lends its modules must be the copy's, not the first stack's."""
    together, ids = stack(_models(2, family)), _ids(4)
    with torch.no_grad():
        for parameter in together.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    copied = copy.deepcopy(together)
    (table,) = (p for name, p in copied.named_parameters() if "relative_attention" in name or "rel_" in name)
    with torch.no_grad():
        table.copy_(torch.randn_like(table))
    assert max_difference(copied(ids).logits, together(ids).logits) > 1e-3
    for r in range(2):
        assert (
            max_difference(copied(ids).logits.chunk(2)[r], unstack(copied, r)(ids.chunk(2)[r]).logits) < 1e-9
        )


# A vocabulary of the ids in use


def _compacted(count: int, ids: np.ndarray = USED) -> list[Any]:
    models = _models(count)
    assert [compact_embedding(model, ids) for model in models] == [None] * count
    return models


def test_models_of_a_compact_vocabulary_stack() -> None:
    models = _compacted(3)
    together = stack(models)
    ids = torch.from_numpy(np.random.default_rng(0).choice(USED, (6, 5)))
    logits = together(ids).logits
    logits.square().sum().backward()
    table: Any = together.get_parameter("model.bert.embeddings.word_embeddings.weight")
    assert table.shape[:2] == (3, len(USED))
    for r, (model, member_ids) in enumerate(zip(models, ids.chunk(3), strict=True)):
        alone = model(member_ids).logits
        assert max_difference(logits.chunk(3)[r], alone) < 1e-9
        alone.square().sum().backward()
        assert max_difference(table.grad[r], model.get_input_embeddings().weight.grad) < 1e-9


def test_a_compact_vocabulary_comes_out_compact() -> None:
    models = _compacted(2)
    unstacked: Any = unstack(stack(models), 1)
    table = unstacked.get_input_embeddings()
    assert isinstance(table, CompactEmbedding)
    assert table.list_ids().tolist() == USED.tolist()
    assert torch.equal(table.weight, models[1].get_input_embeddings().weight)


def test_an_id_without_a_row_is_an_error() -> None:
    with pytest.raises(IndexError):
        stack(_compacted(2))(torch.full((2, 3), 6))


def test_other_vocabularies_are_refused() -> None:
    models = [*_compacted(1), *_compacted(1, np.array([PAD, 4, 5, 9, 11, 20, 33, 47]))]
    with pytest.raises(StackError, match=r"another bert\.embeddings\.word_embeddings\.lookup"):
        stack(models)


# What is refused


def test_nothing_makes_no_stack() -> None:
    with pytest.raises(StackError, match="no models given"):
        stack([])


def _of(family: str = "bert", **config: Any) -> Any:
    made = make_tiny_config(family, num_labels=3)
    made.update(config)
    return AutoModelForSequenceClassification.from_config(made).double().eval()


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (lambda: _of("roberta"), "RobertaForSequenceClassification instead of BertForSequenceClassification"),
        (lambda: _of(intermediate_size=64), "intermediate_size 64 instead of 48"),
        (lambda: _of(num_hidden_layers=3), "num_hidden_layers 3 instead of 2"),
        (lambda: _of(hidden_act="relu"), "hidden_act relu instead of gelu"),
        (lambda: _of(layer_norm_eps=1e-3), "layer_norm_eps 0.001 instead of 1e-12"),
    ],
    ids=["class", "width", "depth", "activation", "epsilon"],
)
def test_another_architecture_is_refused_with_what_differs(other: Callable[[], Any], what: str) -> None:
    with pytest.raises(StackError) as caught:
        stack([_of(), _of(), other()])
    assert f"model 2 differs from model 0: {what}" in str(caught.value)


def test_another_shape_is_refused_by_name() -> None:
    models = _models(2)
    models[1].classifier = nn.Linear(32, 5).double()
    with pytest.raises(StackError, match=r"classifier\.weight of shape \(5, 32\) instead of \(3, 32\)"):
        stack(models)


def test_a_weight_that_one_model_lacks_is_refused_by_name() -> None:
    models = _models(2)
    models[1].classifier = nn.Linear(32, 3, bias=False).double()
    with pytest.raises(StackError, match=r"classifier\.bias of shape \(\) instead of \(3,\)"):
        stack(models)


def test_other_constants_are_refused_by_name() -> None:
    models = _models(2)
    models[1].bert.embeddings.position_ids += 1
    with pytest.raises(StackError, match=r"another bert\.embeddings\.position_ids"):
        stack(models)


def test_names_and_formats_are_no_difference() -> None:
    models = _models(2)
    models[1].config._name_or_path, models[1].config.transformers_version = "elsewhere", "5.0"
    assert stack(models).members == 2


# Toys: families of their own making


class _Toy(nn.Module):
    """Words, a norm and a head: what can be stacked."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.words = nn.Embedding(VOCABULARY, 8)
        self.norm: nn.Module = nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.words

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        """Hidden states, [B, T, D]."""
        return self.words(ids)  # type: ignore[no-any-return]

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None) -> SequenceClassifierOutput:
        return SequenceClassifierOutput(logits=self.head(self.norm(self.hidden(input_ids)).mean(1)))


class _Free(_Toy):
    """A parameter of the model's own."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.scale = nn.Parameter(torch.ones(8))


class _Between(_Toy):
    """A parameter of a layer that is not known."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.between = nn.Sequential(nn.Linear(8, 8), nn.PReLU())


class _Distances(_Toy):
    """Distances between places, ids [T, T] that have no rows, looked up for all rows at once."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.distances = nn.Embedding(2 * CHECK_TOKENS, 8)

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        places = torch.arange(ids.shape[1])
        apart = self.distances((places[:, None] - places) % (2 * CHECK_TOKENS))
        return self.words(ids) + apart.sin().mean(1)  # type: ignore[no-any-return]


class _TokensFirst(_Toy):
    """Computes with [T, B, D], as fairseq's models and Longformer's attention do."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.mix = nn.Linear(8, 8)

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        return self.mix(self.words(ids).transpose(0, 1)).transpose(0, 1)  # type: ignore[no-any-return]


class _AllTokens(_TokensFirst):
    """As before, all tokens of all rows in one dimension."""

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        words = self.words(ids).transpose(0, 1)
        mixed: torch.Tensor = self.mix(words.flatten(0, 1))
        return mixed.view_as(words).transpose(0, 1)


class _ShiftedNorm(nn.Module):
    """A norm by its name, which scales by 1 + weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * (1 + self.weight)


class _Shifting(_Toy):
    """Gemma's habit."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.norm = _ShiftedNorm()


class _Reading(_Toy):
    """Takes a weight for what it is in one model."""

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        words: torch.Tensor = self.words(ids)
        return words + self.head.weight.sum(0)


def _toys(kind: Callable[[int], nn.Module], count: int) -> list[nn.Module]:
    return [kind(seed).double().eval() for seed in range(count)]


def test_a_toy_of_known_layers_stacks() -> None:
    toys, ids = _toys(_Toy, 3), _ids(6)
    expected = torch.cat([toy(member_ids).logits for toy, member_ids in zip(toys, ids.chunk(3), strict=True)])
    assert max_difference(stack(toys)(ids).logits, expected) < 1e-12


@pytest.mark.parametrize(
    ("kind", "what"),
    [(_Free, "its scale is held by a _Free"), (_Between, "its between.1.weight is held by a PReLU")],
)
def test_a_weight_outside_known_layers_is_refused_by_name(kind: Any, what: str) -> None:
    with pytest.raises(StackError) as caught:
        stack(_toys(kind, 2))
    assert what in str(caught.value)
    assert str(caught.value).startswith(kind.__name__)
    with torch.device("meta"):
        assert str(find_stacking_obstacle(kind())).startswith(what)


@pytest.mark.parametrize("change", [{"max_norm": 1.0}, {"scale_grad_by_freq": True}, {"sparse": True}])
def test_an_embedding_that_does_more_than_look_up_is_refused(change: dict[str, Any]) -> None:
    toys = _toys(_Toy, 2)
    for toy in toys:
        toy.words = nn.Embedding(VOCABULARY, 8, dtype=torch.float64, **change)
    with pytest.raises(StackError, match=r"its words\.weight is held by a Embedding"):
        stack(toys)


class _Scaled(nn.Embedding):
    """What BART and Gemma make of an embedding."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return super().forward(ids) * math.sqrt(8)


def test_an_embedding_that_scales_is_refused() -> None:
    toys = _toys(_Toy, 2)
    for toy in toys:
        toy.words = _Scaled(VOCABULARY, 8, dtype=torch.float64)
    with pytest.raises(StackError, match=r"its words\.weight is held by a _Scaled"):
        stack(toys)


@pytest.mark.parametrize("kind", [_Distances, _TokensFirst, _AllTokens, _Shifting, _Reading])
@pytest.mark.parametrize("count", [2, 3, CHECK_TOKENS])
def test_layers_used_in_a_way_of_the_familys_own_are_caught(kind: Any, count: int) -> None:
    assert find_stacking_obstacle(kind()) is None
    with pytest.raises(StackError, match=r"stacked, it computes something else|does not work on stacked"):
        stack(_toys(kind, count))


@pytest.mark.parametrize("kind", [_Distances, _TokensFirst])
@pytest.mark.parametrize("count", [2, 4])
def test_most_are_caught_among_equal_models_too(kind: Any, count: int) -> None:
    with pytest.raises(StackError):
        stack(_toys(kind, 1) * count)


def test_without_the_check_they_would_pass() -> None:
    toys, ids = _toys(_Shifting, 2), _ids(2)
    together = stack(toys, check=False)
    assert max_difference(together(ids).logits[:1], toys[0](ids[:1]).logits) > 1e-3


def test_a_family_met_in_the_wild_is_caught() -> None:
    """Longformer attends with tokens first, rows second: its members would be mixed up."""
    values = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
    sizes = {"vocab_size": VOCABULARY, "pad_token_id": PAD, "max_position_embeddings": 40}
    config = LongformerConfig(attention_window=4, num_labels=3, **values, **sizes)
    models = [AutoModelForSequenceClassification.from_config(config).double().eval() for _ in range(4)]
    for some in (models[:2], models[:1] * 2, models[:1] * 4):
        with pytest.raises(StackError):
            stack(some)


def test_the_check_leaves_no_trace() -> None:
    models = [model.train() for model in _models(2)]
    together = stack(models)
    assert all(p.grad is None for p in together.parameters())
    assert isinstance(together, Stack)
    assert {m.training for m in together.modules()} == {True}


def test_models_that_differ_in_what_they_freeze_are_refused() -> None:
    models = _models(2)
    models[1].bert.embeddings.requires_grad_(False)
    with pytest.raises(StackError, match="embeddings"):
        stack(models)


def test_models_of_two_number_formats_are_refused() -> None:
    models = _models(2)
    models[1].float()
    with pytest.raises(StackError, match="float32"):
        stack(models)
