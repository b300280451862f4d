"""A stack is its models: every family's logits and gradients, and language models' steps, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from headstart import stack, unstack
from headstart.engine.dropout import DropoutKey, HostDropout
from tiny import FAMILIES, PAD, VOCABULARY, make_tiny_config, make_tiny_model, max_difference

MEMBERS, TOKENS = 3, 9
STEPS, ROWS = 20, 2
CAUSAL = ("gpt2", "bloom", "llama", "qwen2", "qwen3")
MASKED = 3
#: Rows, and whether some end in padding.
BATCHES = [(1, False), (1, True), (2, True), (5, True)]
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def _perturbed(model: Any, seed: int) -> Any:
    """The model with noise on every weight, biases and norms too: nothing is 0 or 1, nothing alike."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw, dtype=parameter.dtype))
    return model


def _models(family: str) -> list[Any]:
    return [_perturbed(make_tiny_model(family, seed=r), 10 + r).eval() for r in range(MEMBERS)]


def _inputs(rows: int, padded: bool, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random ids, [R*B, T]; where padded, each row ends in 0 to 4 padding tokens."""
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(4, VOCABULARY, (rows, TOKENS), generator=draw)
    padding = torch.randint(0, 5, (rows, 1), generator=draw) if padded else torch.zeros(rows, 1)
    mask = (torch.arange(TOKENS) < TOKENS - padding).long()
    return {"input_ids": ids.where(mask == 1, PAD), "attention_mask": mask}


def _shares(inputs: dict[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    """Each member's rows of a batch."""
    return [{name: x.chunk(MEMBERS)[r] for name, x in inputs.items()} for r in range(MEMBERS)]


# Classification: one pass


@pytest.mark.parametrize(("rows", "padded"), BATCHES)
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_gradients_are_those_of_the_models(family: str, rows: int, padded: bool) -> None:
    _assert_same_pass(_models(family), _inputs(MEMBERS * rows, padded))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_row_of_the_padding_learns_where_it_does_in_the_models(family: str) -> None:
    """Without a mask padding is attended to: only the table's own padding id keeps its row as it was."""
    inputs = _inputs(MEMBERS * 2, padded=True)
    assert (inputs["input_ids"] == PAD).any()
    del inputs["attention_mask"]
    _assert_same_pass(_models(family), inputs)


def _assert_same_pass(models: list[Any], inputs: dict[str, torch.Tensor]) -> None:
    together = stack(models)
    logits = together(**inputs).logits
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(3), dtype=logits.dtype)
    (logits * weights).sum().backward()
    for r, (model, model_inputs) in enumerate(zip(models, _shares(inputs), strict=True)):
        alone = model(**model_inputs).logits
        assert max_difference(logits.chunk(MEMBERS)[r], alone) < 1e-9
        (alone * weights.chunk(MEMBERS)[r]).sum().backward()
        _same_gradients(model, dict(together.model.named_parameters()), r)


def _same_gradients(model: nn.Module, stacked: dict[str, Any], r: int) -> None:
    """Every gradient, and which parameters have none: a stack gives them zeros at most."""
    parameters = dict(model.named_parameters())
    assert parameters.keys() == stacked.keys()
    for name, parameter in parameters.items():
        theirs = stacked[name].grad
        if parameter.grad is None:
            assert theirs is None or not theirs[r].any(), name
        else:
            assert max_difference(theirs[r], parameter.grad) < 1e-9, name


@pytest.mark.parametrize("family", FAMILIES)
def test_taken_apart_the_models_are_what_they_were_to_the_bit(family: str) -> None:
    models = _models(family)
    together, inputs = stack(models), _inputs(2, padded=True)
    for r, model in enumerate(models):
        unstacked = unstack(together, r)
        assert type(unstacked) is type(model)
        expected, actual = model.state_dict(), unstacked.state_dict()
        assert list(actual) == list(expected)
        assert all(torch.equal(actual[name], value) for name, value in expected.items())
        assert torch.equal(unstacked(**inputs).logits, model(**inputs).logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_models_of_this_file_differ(family: str) -> None:
    """Else a stack that mixes its members up would pass."""
    inputs = _inputs(2, padded=True)
    logits = [model(**inputs).logits for model in _models(family)]
    assert min(max_difference(logits[a], logits[b]) for a, b in ((0, 1), (0, 2), (1, 2))) > 1e-3


# Language models: twenty steps


@dataclass(frozen=True)
class _Trained:
    """What twenty steps left: losses [steps][members], and weights and moments by parameter."""

    losses: torch.Tensor
    weights: dict[str, torch.Tensor]
    moments: dict[str, dict[str, torch.Tensor]]


def _next_token(logits: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over one member's own targets."""
    targets = ids[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())


def _masked_token(logits: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over the tokens of one member at every third place."""
    chosen = torch.arange(TOKENS) % MASKED == 0
    return F.cross_entropy(logits[:, chosen].flatten(0, 1), ids[:, chosen].flatten(), ignore_index=PAD)


def _batch(seed: int, step: int) -> dict[str, torch.Tensor]:
    return _inputs(ROWS, padded=True, seed=1000 * seed + step)


def _train(module: nn.Module, seeds: Sequence[int], loss: Loss) -> _Trained:
    """Dropout on; each member has its own texts and its own mean loss."""
    optimiser = torch.optim.AdamW(module.parameters(), lr=3e-3, weight_decay=0.1)
    losses = []
    for step in range(STEPS):
        batches = [_batch(seed, step) for seed in seeds]
        inputs = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
        with HostDropout([DropoutKey(seed, step, ROWS, TOKENS) for seed in seeds], ROWS, TOKENS):
            logits = module(**inputs).logits.chunk(len(seeds))
        step_losses = torch.stack(
            [
                loss(member_logits, *batch.values())
                for member_logits, batch in zip(logits, batches, strict=True)
            ]
        )
        step_losses.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
        losses.append(step_losses.detach())
    named = dict(module.named_parameters())
    moments = {name: dict(optimiser.state[p]) for name, p in named.items() if p in optimiser.state}
    return _Trained(torch.stack(losses), {name: p.detach() for name, p in named.items()}, moments)


def _language_model(kind: Any, family: str, seed: int, **more: Any) -> Any:
    config = make_tiny_config(family, 0.2, **more)
    torch.manual_seed(seed)
    return _perturbed(kind.from_config(config).double().train(), seed)


def _assert_trained_alike(make: Callable[[int], Any], loss: Loss) -> None:
    seeds = (4, 5, 6)
    starts = [make(seed) for seed in seeds]
    together = _train(stack(starts), seeds, loss)
    for r, seed in enumerate(seeds):
        begun = {name: p.detach().clone() for name, p in starts[r].named_parameters()}
        alone = _train(starts[r], [seed], loss)
        assert max_difference(together.losses[:, r], alone.losses[:, 0]) < 1e-9
        assert {f"model.{name}" for name in alone.weights} == together.weights.keys()
        for name, weight in alone.weights.items():
            assert max_difference(together.weights[f"model.{name}"][r], weight) < 1e-9, name
        _same_moments(together.moments, alone.moments, r)
        assert max(max_difference(begun[name], weight) for name, weight in alone.weights.items()) > 1e-2


def _same_moments(together: Any, alone: dict[str, dict[str, torch.Tensor]], r: int) -> None:
    assert alone
    for name, moments in alone.items():
        for kind in ("exp_avg", "exp_avg_sq"):
            assert max_difference(together[f"model.{name}"][kind][r], moments[kind]) < 1e-9, (name, kind)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("family", CAUSAL)
def test_causal_language_models_train_as_they_do_alone(family: str, tied: bool) -> None:
    make = partial(_language_model, AutoModelForCausalLM, family, tie_word_embeddings=tied)
    model = make(0)
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) == tied
    _assert_trained_alike(make, _next_token)


def test_masked_language_models_train_as_they_do_alone() -> None:
    """BERT's has a bias that the prediction head holds and its decoder shares."""
    make = partial(_language_model, AutoModelForMaskedLM, "bert")
    head = make(0).cls.predictions
    assert head.bias is head.decoder.bias
    _assert_trained_alike(make, _masked_token)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("family", CAUSAL)
def test_language_models_are_taken_apart_with_their_ties(family: str, tied: bool) -> None:
    make = partial(_language_model, AutoModelForCausalLM, family, tie_word_embeddings=tied)
    models = [make(seed) for seed in range(MEMBERS)]
    together = stack(models)
    assert len(list(together.parameters())) == len(list(models[0].parameters()))
    unstacked: Any = unstack(together, 1)
    assert (unstacked.get_output_embeddings().weight is unstacked.get_input_embeddings().weight) == tied
    expected = models[1].state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in unstacked.state_dict().items())


def test_a_bias_in_two_places_stays_one() -> None:
    make = partial(_language_model, AutoModelForMaskedLM, "bert")
    models = [make(seed) for seed in range(MEMBERS)]
    together: Any = stack(models)
    head = together.model.cls.predictions
    assert head.bias is head.decoder.bias
    unstacked: Any = unstack(together, 2)
    assert unstacked.cls.predictions.bias is unstacked.cls.predictions.decoder.bias
    assert torch.equal(unstacked.cls.predictions.bias, models[2].cls.predictions.bias)


def test_dropout_takes_part() -> None:
    """Else the twenty steps would say nothing of masks."""
    make = partial(_language_model, AutoModelForCausalLM, "gpt2")
    dropped, undropped = _train(make(4), [4], _next_token), _train(make(4).eval(), [4], _next_token)
    assert max_difference(dropped.losses, undropped.losses) > 1e-3
