"""Saves a tuned model in the format the ecosystem loads, and proves it by loading it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from headstart.data.corpus import Text
from headstart.data.tokenise import encode_batch
from headstart.errors import ModelError
from headstart.models.checkpoints import Checkpoint, quiet

#: Largest difference between two computations of the same logits that rounding explains.
TOLERANCE = 1e-4


def save_model(
    model: Any, checkpoint: Checkpoint, folder: Path, *, examples: Sequence[Text], max_length: int
) -> None:
    """Write weights, configuration with label names, and tokenizer to `folder`.

    Then load all of it in fresh objects and compare the logits of `examples`.

    Raises:
        ModelError: the loaded model does not give the same logits.
    """
    tokenizer = checkpoint.tokenizer
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        loaded = checkpoint.library.from_pretrained(folder, dtype=model.dtype)
    compare(model, loaded, checkpoint, folder, examples=examples, max_length=max_length)


def compare(
    model: Any,
    loaded: Any,
    checkpoint: Checkpoint,
    folder: Path,
    *,
    examples: Sequence[Text],
    max_length: int,
) -> None:
    """See that `loaded`, with the tokenizer in `folder`, gives the logits that `model` gives for `examples`.

    Raises:
        ModelError: it does not.
    """
    with quiet():
        tokenizer_again = AutoTokenizer.from_pretrained(folder)
    ours = _logits(model, checkpoint.tokenizer, examples, max_length)
    theirs = _logits(loaded.to(_device(model)), tokenizer_again, examples, max_length)
    gap = float((ours - theirs).abs().max())
    if not gap <= TOLERANCE * max(1.0, float(ours.abs().max())):
        raise ModelError(
            f"the saved model gives other logits when loaded again: they differ by up to {gap:g}",
            where=str(folder),
            expected=f"at most {TOLERANCE:g} of their size",
        )


def _logits(model: Any, tokenizer: Any, texts: Sequence[Text], max_length: int) -> torch.Tensor:
    encoded = encode_batch(texts, tokenizer, max_length)
    batch = tokenizer.pad(encoded, return_tensors="pt").to(_device(model))
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        logits: torch.Tensor = model(**batch).logits
    model.train(was_training)
    return logits.double().cpu()


def _device(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device
