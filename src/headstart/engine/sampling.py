"""Samples tokens so that each prompt's are a function of the seed and the prompt, not of its batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from headstart.seeds import derive_seed


class Sampling(Protocol):
    """How tokens are drawn: with `temperature`, among the likeliest of share `top_p`, by `seed`."""

    @property
    def temperature(self) -> float: ...
    @property
    def top_p(self) -> float: ...
    @property
    def seed(self) -> int: ...


class KeyedSampler(LogitsProcessor):  # type: ignore[misc]
    """Turns logits [n, V] into ones whose likeliest token is a draw: adds Gumbel noise, a stream a row."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:
        """As the library calls it, once a token."""
        size = scores.shape[-1]
        # On the CPU, so that a GPU draws the same; in float64, whose smallest draws are rare enough.
        empty = torch.empty(size, dtype=torch.float64)
        rows = [empty.exponential_(generator=generator).clamp(min=2**-53) for generator in self._generators]
        return scores.float() - torch.stack(rows).log().float().to(scores.device)


def list_samplers(prompts: Sequence[Sequence[int]], config: Sampling) -> Any:
    """What makes a greedy search of the library a sample, for a batch of prompts."""
    seeds = [derive_seed(config.seed, "answers", *prompt, bits=64) >> 1 for prompt in prompts]
    narrowing = [TopPLogitsWarper(config.top_p)] if config.top_p < 1 else []
    return LogitsProcessorList([TemperatureLogitsWarper(config.temperature), *narrowing, KeyedSampler(seeds)])
