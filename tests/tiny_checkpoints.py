"""Tiny checkpoints of any family, saved in a folder as other people save them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from conftest import WORDS
from tiny import make_tiny_config

#: What a tiny vocabulary begins with: the end token is the third, as tiny configurations say.
NAMES = ("<unk>", "<pad>", "<s>", "</s>", "<mask>")
VOCABULARY = {word: i for i, word in enumerate((*NAMES, *WORDS))}


def make_tokenizer(pad: str | None = "<pad>", **settings: Any) -> PreTrainedTokenizerFast:
    """A tokenizer of whole words between spaces, without token types; `pad` None for none."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    backend = Tokenizer(models.WordLevel(VOCABULARY, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    names = {"unk_token": "<unk>", "eos_token": "</s>"} | ({"pad_token": pad} if pad else {})
    inputs = {"model_input_names": ["input_ids", "attention_mask"]}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names, **(inputs | settings))


def write_checkpoint(
    folder: Path, family: str, *, tokenizer: Any = None, causal: bool = False, **config: Any
) -> Path:
    """A random model of two layers, saved in `folder` with its tokenizer."""
    tokenizer = tokenizer or make_tokenizer()
    values = {"vocab_size": len(VOCABULARY), "initializer_range": 0.3} | ({} if causal else {"num_labels": 2})
    library = AutoModelForCausalLM if causal else AutoModelForSequenceClassification
    with torch.random.fork_rng():
        torch.manual_seed(1)
        library.from_config(make_tiny_config(family, **(values | config))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
