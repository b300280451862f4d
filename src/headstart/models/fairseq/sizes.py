"""Holds the sizes of a network that was read from fairseq."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Of a network: rows of its tables, layers, width, width within a layer, and heads of attention."""

    vocabulary: int
    positions: int
    layers: int
    width: int
    inner_width: int
    heads: int
