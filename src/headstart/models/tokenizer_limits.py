"""Refuses tokenizers that would make texts many times longer before they divide them."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Final

from headstart.errors import ModelError
from headstart.json_text import parse_json

#: How many times longer replacements may make a text; the usual ones write a character for one or more.
_MOST_GROWTH: Final = 100.0


def check_growth(tokenizer: Any, name: str) -> None:
    """See that the replacements of a tokenizer's normaliser do not swell texts.

    Raises:
        ModelError: they do.
    """
    normaliser = tokenizer.backend_tokenizer.normalizer if tokenizer.is_fast else None
    if normaliser is None:
        return
    growth = _measure_growth(parse_json(normaliser.__getstate__()))
    if growth > _MOST_GROWTH:
        raise ModelError(
            f"the replacements of its tokenizer make a text up to {growth:,.0f} times longer",
            where=name,
            expected=f"at most {_MOST_GROWTH:.0f} times",
            fix="remove the normalizer from tokenizer.json, or use another checkpoint",
        )


def _measure_growth(step: Mapping[str, Any]) -> float:
    """How many times longer a step of a normaliser makes a text at most, by its settings."""
    if step.get("type") == "Sequence":
        return prod(map(_measure_growth, step["normalizers"]))
    if step.get("type") != "Replace":
        return 1.0
    text, content = step["pattern"].get("String"), len(step["content"])
    # A regular expression may match one character, or between two.
    return max(1.0, content / max(1, len(text)) if text is not None else float(content))
