"""Saves a pretrained language model as transformers loads it, and checks it by loading it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from headstart.errors import ModelError
from headstart.files import replace_folder, write_folder_atomically
from headstart.models.library import load_network, silence_logs
from headstart.models.save import LOGIT_TOLERANCE
from headstart.models.tokenizers import save_tokenizer


def save_language_model(model: Any, tokenizer: Any, folder: Path, card: str, block: int) -> None:
    """Write weights, configuration, tokenizer and model card to `folder`, whole or not at all.

    Args:
        model: on the CPU; evaluation mode is set.
        card: Markdown.
        block: tokens of a text at most, for who reads the tokenizer.

    Raises:
        ModelError: what was saved does not give the same logits when it is loaded.
    """
    new = folder.with_name(f".{folder.name}-new")
    tokenizer.model_max_length = block
    with silence_logs(), write_folder_atomically(new) as temporary:
        model.eval().save_pretrained(temporary)
        save_tokenizer(tokenizer, temporary)
        (temporary / "README.md").write_text(card, encoding="utf-8")
        _check_saved(model, temporary)
    replace_folder(new, folder)


def _check_saved(model: Any, folder: Path) -> None:
    loaded = load_network(type(model), str(folder), dtype=model.dtype)
    ids = torch.arange(min(8, model.config.vocab_size)).unsqueeze(0)
    with torch.no_grad():
        difference = (model(ids).logits - loaded.eval()(ids).logits).abs().max().item()
    if not difference <= LOGIT_TOLERANCE:
        raise ModelError(
            f"the saved model's logits differ by {difference:.2g} from the trained one's", where=str(folder)
        )
