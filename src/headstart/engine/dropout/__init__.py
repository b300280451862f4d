"""Dropout that is the same for a run alone, in a pack and after a restart: its masks are keyed."""

from headstart.engine.dropout.device_dropout import DeviceDropout
from headstart.engine.dropout.host_dropout import HostDropout
from headstart.engine.dropout.host_masks import DropoutKey
from headstart.engine.dropout.mode import KeyedDropout, create_recompute_contexts

__all__ = ["DeviceDropout", "DropoutKey", "HostDropout", "KeyedDropout", "create_recompute_contexts"]
