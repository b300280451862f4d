"""Saves a fine-tuned model in the `save_pretrained` format, and checks it by loading it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from headstart.data.corpus import Text
from headstart.data.tokenise import encode_batch
from headstart.errors import ModelError
from headstart.models.checkpoints import Checkpoint
from headstart.models.library import load_network, load_tokenizer, silence_logs
from headstart.models.stop_ids import set_stop_ids
from headstart.models.tokenizers import save_tokenizer

#: Largest difference between two computations of the same logits that rounding explains.
LOGIT_TOLERANCE = 1e-4


def save_model(
    model: Any, checkpoint: Checkpoint, folder: Path, *, examples: Sequence[Text], max_length: int
) -> None:
    """Write weights, configuration with label names, and tokenizer to `folder`.

    Then load all of it in fresh objects and compare the logits of `examples`.

    Raises:
        ModelError: the loaded model does not give the same logits.
    """
    expected = compute_example_logits(model, checkpoint.tokenizer, examples=examples, max_length=max_length)
    if checkpoint.is_causal:
        set_stop_ids(model, checkpoint.stop_ids)
    with silence_logs():
        model.save_pretrained(folder)
        save_tokenizer(checkpoint.tokenizer, folder)
        loaded = load_network(checkpoint.auto_class, str(folder), dtype=model.dtype)
    loaded.to(_get_device(model))
    compare_logits(expected, loaded, folder, examples=examples, max_length=max_length)


def compare_logits(
    expected: torch.Tensor, loaded: Any, folder: Path, *, examples: Sequence[Text], max_length: int
) -> None:
    """See that `loaded`, with the tokenizer in `folder`, gives the `expected` logits of `examples`.

    Raises:
        ModelError: it does not.
    """
    with silence_logs():
        tokenizer = load_tokenizer(str(folder))
    logits = compute_example_logits(loaded, tokenizer, examples=examples, max_length=max_length)
    gap = float((expected - logits).abs().max())
    if not gap <= LOGIT_TOLERANCE * max(1.0, float(expected.abs().max())):
        raise ModelError(
            f"the saved model gives different logits when loaded again: they differ by up to {gap:g}",
            where=str(folder),
            expected=f"at most {LOGIT_TOLERANCE:g} of their size",
        )


def compute_example_logits(
    model: Any, tokenizer: Any, *, examples: Sequence[Text], max_length: int
) -> torch.Tensor:
    """The logits of a few examples, without dropout; float64 on the CPU."""
    with silence_logs():
        batch = tokenizer.pad(encode_batch(examples, tokenizer, max_length), return_tensors="pt")
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        logits: torch.Tensor = model(**batch.to(_get_device(model))).logits
    model.train(was_training)
    return logits.double().cpu()


def _get_device(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device
