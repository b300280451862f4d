"""Keys of a flat table say where each value stands."""

from __future__ import annotations

from headstart.store.flat_keys import flatten_keys


def test_keys_lead_to_their_values() -> None:
    nested = {"seed": 1, "training": {"block": 8, "decay": {"to": 0.1}}, "none": {}}
    assert flatten_keys(nested) == {"seed": 1, "training.block": 8, "training.decay.to": 0.1}
    assert flatten_keys({"r": 8}, "lora.") == {"lora.r": 8}
