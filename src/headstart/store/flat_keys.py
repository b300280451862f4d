"""Settings as one flat table, whose keys say where each stands: `training.block`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flatten_keys(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of mappings too, each by the keys that lead to it with dots between, after `prefix`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten_keys(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
