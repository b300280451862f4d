"""Counts the virtual tokens that PEFT puts before a text: they take positions, and some give logits."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def unwrap_peft(module: Any) -> Any:
    """The model inside PEFT's, or the model itself."""
    return module.get_base_model() if hasattr(module, "get_base_model") else module


def count_virtual_tokens(module: Any) -> int:
    """Positions that a text has fewer: of prompts before it, or of keys and values that it attends to."""
    config: Any = getattr(module, "active_peft_config", None)
    return int(config.num_virtual_tokens) if getattr(config, "is_prompt_learning", False) else 0


def count_virtual_logits(module: Any) -> int:
    """Logits of a causal model before those of its text: none where the prompt is keys and values alone."""
    return 0 if prepends_keys(module) else count_virtual_tokens(module)


def prepends_keys(module: Any) -> bool:
    """Whether PEFT's prompt is keys and values of each layer, as in prefix tuning."""
    config = getattr(module, "active_peft_config", None)
    return getattr(config, "peft_type", None) in ("PREFIX_TUNING", "CARTRIDGE")


@contextmanager
def hush_positions() -> Iterator[None]:
    """PEFT's warning held back that it counts positions itself, which is meant: the library gives it some."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Position ids are not supported")
        yield
