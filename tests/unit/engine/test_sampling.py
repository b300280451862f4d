"""Tokens are drawn as often as they should be, by a stream of random numbers for each prompt."""

from __future__ import annotations

import pytest
import torch

from headstart.engine.generate import GenerationConfig
from headstart.engine.sampling import list_samplers

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, -4.0])


def _draw(count: int, **settings: float) -> torch.Tensor:
    """The first token behind each of `count` prompts, of which all have the same logits."""
    prompts = [[7, i] for i in range(count)]
    samplers = list_samplers(prompts, GenerationConfig(**settings))  # type: ignore[arg-type]
    drawn: torch.Tensor = samplers(torch.tensor(prompts), LOGITS.repeat(count, 1)).argmax(-1)
    return drawn


@pytest.mark.parametrize(("temperature", "top_p", "kept"), [(1.0, 1.0, 5), (2.0, 1.0, 5), (1.0, 0.8, 2)])
def test_tokens_are_drawn_as_often_as_they_should_be(temperature: float, top_p: float, kept: int) -> None:
    drawn = _draw(4000, temperature=temperature, top_p=top_p)
    expected = (LOGITS / temperature).softmax(-1)
    expected[kept:] = 0
    expected /= expected.sum()
    found = torch.bincount(drawn, minlength=5) / 4000
    assert (found[kept:] == 0).all()
    assert ((found - expected).abs() <= 4 * (expected * (1 - expected) / 4000).sqrt()).all()


def test_later_tokens_are_new_draws() -> None:
    samplers = list_samplers([[1]], GenerationConfig(temperature=1.0))
    row = torch.zeros(1, 1000)
    assert samplers(torch.tensor([[1]]), row).argmax() != samplers(torch.tensor([[1]]), row).argmax()


def test_a_prompts_stream_is_its_own() -> None:
    alone = list_samplers([[2, 3]], GenerationConfig(temperature=1.0))
    beside = list_samplers([[1], [2, 3]], GenerationConfig(temperature=1.0))
    for _ in range(3):
        one = alone(torch.zeros(1, 1), torch.zeros(1, 50))
        assert torch.equal(one[0], beside(torch.zeros(2, 1), torch.zeros(2, 50))[1])
