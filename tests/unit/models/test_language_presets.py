"""Presets by their parameter counts, and sizes in place of a configuration's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, GPT2Config

from headstart.config.pretraining import ModelSizes
from headstart.errors import ModelError
from headstart.models.language_presets import apply_sizes, check_block, make_preset_config

IDS: Any = SimpleNamespace(bos_token_id=0, eos_token_id=2, pad_token_id=1)


def count(library: Any, config: Any) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in library.from_config(config).parameters())


def test_roberta_small_has_the_sizes_of_its_formula() -> None:
    v, d, n, f, positions = 32_000, 512, 4, 512, 258
    layer = 4 * (d * d + d) + 2 * d * f + f + d + 4 * d
    body = (v + positions + 1) * d + 2 * d + n * layer
    head = d * d + d + 2 * d + v  # its decoder is the embedding
    assert count(AutoModelForMaskedLM, make_preset_config("roberta-small", v, IDS)) == body + head


def test_bloom_small_has_the_sizes_of_its_formula() -> None:
    v, d, n = 32_000, 512, 6
    layer = 12 * d * d + 13 * d
    expected = v * d + 2 * d + n * layer + 2 * d
    assert count(AutoModelForCausalLM, make_preset_config("bloom-small", v, IDS)) == expected


def test_sizes_replace_those_of_a_configuration() -> None:
    config = apply_sizes(
        make_preset_config("roberta-small", 100, IDS), ModelSizes(layers=2, width=32, heads=4, dropout=0.0)
    )
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (2, 32, 4)
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0.0


def test_a_size_that_a_family_lacks_and_a_block_that_is_too_long_are_refused() -> None:
    with pytest.raises(ModelError, match="BloomConfig has no such size"):
        apply_sizes(make_preset_config("bloom-small", 100, IDS), ModelSizes(feed_forward=64))
    with pytest.raises(ModelError, match="blocks of 257 tokens"):
        check_block(make_preset_config("roberta-small", 100, IDS), 257)
    check_block(make_preset_config("roberta-small", 100, IDS), 256)
    with pytest.raises(ModelError, match="blocks of 65 tokens"):
        check_block(GPT2Config(n_positions=64), 65)
