"""Nested values as one flat table, so that two of them can be compared key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flatten_values(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Each value by its dotted key, such as `training.epochs`, in the order in which they stand."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten_values(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
