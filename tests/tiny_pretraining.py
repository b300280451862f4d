"""Tiny language models, blocks and tokenizers for tests of pretraining."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, BloomConfig, RobertaConfig

from headstart.config.pretraining import PretrainingSettings
from headstart.data.token_blocks import TokenBlocks
from headstart.events import OnEvent, ignore_events
from headstart.pretraining.run import pretrain_model
from headstart.records.pretraining import PretrainingRecord

VOCABULARY, BLOCK = 60, 12
TOKENIZER: Any = SimpleNamespace(all_special_ids=[0, 1, 2, 3, 4], mask_token_id=4, pad_token_id=1)


def make_blocks(count: int = 16, seed: int = 0, run: int = 3) -> TokenBlocks:
    """Blocks of tokens that come in runs of the same: easy to predict from their neighbours."""
    rng = np.random.default_rng(seed)
    tokens = np.repeat(rng.integers(5, VOCABULARY, (count, BLOCK // run)), run, axis=1).astype(np.uint16)
    return TokenBlocks(tokens, np.ones(tokens.shape, bool), tokens.size * 4, count, f"{count} {seed} {run}")


def make_roberta(dropout: float = 0.0) -> Any:
    """A tiny masked-language model with random weights, always the same."""
    torch.manual_seed(0)
    return AutoModelForMaskedLM.from_config(
        RobertaConfig(
            vocab_size=VOCABULARY,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=BLOCK + 2,
            type_vocab_size=1,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
    )


def make_bloom() -> Any:
    """A tiny causal model, likewise."""
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(
        BloomConfig(vocab_size=VOCABULARY, hidden_size=16, n_layer=1, n_head=2, pad_token_id=1)
    )


def make_settings(task: str = "masked-lm", **training: Any) -> PretrainingSettings:
    """Settings of a few steps in float64 on the CPU."""
    usual = {"block": BLOCK, "batch_size": 4, "precision": "fp64", "learning_rate": 1e-2, "steps": 3}
    return PretrainingSettings.model_validate(
        {"task": task, "device": "cpu", "trackers": [], "training": usual | training}
    )


def pretrain_tiny(
    settings: PretrainingSettings,
    model: Any,
    folder: Path,
    on_event: OnEvent = ignore_events,
    **more: Any,
) -> PretrainingRecord:
    """Train the model on such blocks, with a few others for validation. `more` goes to `pretrain_model`."""
    return pretrain_model(
        settings,
        model=model,
        tokenizer=TOKENIZER,
        blocks=make_blocks(),
        valid=make_blocks(4, 1),
        folder=folder,
        on_event=on_event,
        **more,
    )
