"""Reads how many tokens a checkpoint's folder says that it takes; loads nothing, so only `plan` is sure."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from headstart.models.checkpoint_files import read_json_object

_POSITIONS: Final = ("max_position_embeddings", "n_positions")
#: Families that count positions from behind the padding token's, so that the first rows are never reached.
_OFFSET_FAMILIES: Final = ("roberta", "camembert", "mpnet", "longformer")


def read_token_limit(folder: Path) -> int | None:
    """The smaller of the position table's size and the tokenizer's word; None where neither is there."""
    config, tokenizer = (read_json_object(folder / name) for name in ("config.json", "tokenizer_config.json"))
    positions = next((config[key] for key in _POSITIONS if isinstance(config.get(key), int)), None)
    family = str(config.get("model_type", ""))
    if positions is not None and any(name in family for name in _OFFSET_FAMILIES):
        positions -= int(config.get("pad_token_id") or 1) + 1
    told = tokenizer.get("model_max_length")
    limits = [limit for limit in (positions, told) if isinstance(limit, int) and limit > 0]
    return min(limits, default=None)
