"""The study file's `sizes` as types: how many training examples runs learn from, or all."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from headstart.config.limits import MOST_SIZES

Size = int | Literal["all"]


def find_largest_size(sizes: Collection[Size]) -> Size:
    """The one with most training examples."""
    return max(sizes, key=lambda size: float("inf") if size == "all" else size)


def _wrap_single(value: Any) -> Any:
    return (value,) if isinstance(value, int | str) else value


Sizes = Annotated[
    tuple[Size, ...],
    Field(max_length=MOST_SIZES),
    BeforeValidator(_wrap_single, json_schema_input_type=Size | list[Size]),
]
