"""Reads at which tokens a checkpoint's answers end, and has a model's generation configuration say so too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import GenerationConfig

from headstart.data.chat_format import list_end_ids
from headstart.errors import ModelError
from headstart.models.library import LIBRARY_ERRORS, get_first_line, refuse_own_error

#: Settings of sampling: without `do_sample` they decide nothing, and the library refuses to save them.
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff")


def read_end_ids(location: str, config: Any) -> tuple[int, ...]:
    """`eos_token_id` of a checkpoint's `generation_config`, or of its configuration where it has none.

    Args:
        location: a folder or a hub id.
    """
    try:
        ids = GenerationConfig.from_pretrained(location).eos_token_id
    except OSError:
        ids = getattr(config, "eos_token_id", None)
    except LIBRARY_ERRORS as error:
        refuse_own_error(error)
        got = f"its generation_config.json cannot be read: {get_first_line(error)}"
        raise ModelError(got, where=location) from error
    return list_end_ids(ids)


def set_stop_ids(model: Any, stop_ids: Sequence[int]) -> None:
    """Have anybody's `generate` stop where the model was taught to; the rest stays as the checkpoint has it.

    What the library would refuse to save is left out: a trained model is never lost for it.
    """
    config = model.generation_config
    config.eos_token_id = stop_ids[0] if len(stop_ids) == 1 else list(stop_ids)
    if not config.do_sample:
        config.update(**dict.fromkeys(_SAMPLING))
    try:
        config.validate(strict=True)
    except ValueError:
        model.generation_config = GenerationConfig(
            bos_token_id=config.bos_token_id,
            eos_token_id=config.eos_token_id,
            pad_token_id=config.pad_token_id,
        )
