"""Dropout that is the same for a run alone, in a pack and after a restart: its masks are keyed."""

from headstart.engine.dropout.host_masks import Draw
from headstart.engine.dropout.mode import KeyedDropout, recompute_contexts

__all__ = ["Draw", "KeyedDropout", "recompute_contexts"]
