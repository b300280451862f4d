"""Finds how many positions a causal network has a table for; counts none where they are computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from torch import nn

#: How a table of positions is called in the families' code: `wpe`, `embed_positions`, `pos_encoding`, ...
_TABLE_NAMES: Final = ("wpe", "pos")
#: Families whose attention biases have a size: no table holds their positions.
_LIMITED: Final = {"mpt": "max_seq_len"}


def find_position_limit(model: Any) -> int | None:
    """Most tokens that the network can read, prompt and answer together; None where it goes on and on.

    Rotary and relative positions are computed for any place, whatever `max_position_embeddings` says of the
    texts that a checkpoint has seen. A table ends.
    """
    limit = _find_table_size(model, getattr(model, "config", None))
    return None if limit is None else limit - _count_virtual_tokens(model)


def _find_table_size(model: nn.Module, config: Any) -> int | None:
    if (key := _LIMITED.get(getattr(config, "model_type", ""))) is not None:
        return int(getattr(config, key))
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None:
        return None
    return min((min(rows, positions) for rows in _list_tables(model, positions)), default=None)


def _count_virtual_tokens(model: Any) -> int:
    """Those that PEFT puts before every prompt; they have positions like any other."""
    configs = getattr(model, "peft_config", None) or {}
    return sum(getattr(config, "num_virtual_tokens", None) or 0 for config in configs.values())


def _list_tables(model: nn.Module, positions: int) -> Iterator[int]:
    """The places of each table: of learnt ones, and of sines that are kept."""
    for path, module in model.named_modules():
        # A smaller one is of distances, or of something else.
        if isinstance(module, nn.Embedding) and _is_named(path) and module.num_embeddings >= positions:
            # RoBERTa and its kin count positions from padding_idx + 1, so the first rows are never reached.
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            yield module.num_embeddings - offset
    for path, buffer in model.named_buffers():
        if buffer.ndim == 2 and len(buffer) == positions and _is_named(path):
            yield positions


def _is_named(path: str) -> bool:
    name = path.rpartition(".")[2]
    return any(part in name for part in _TABLE_NAMES)
