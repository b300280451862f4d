"""What tests of commands share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def bloom_config(tmp_path: Path) -> Path:
    """A BLOOM's `config.json` and nothing beside it."""
    shape = {"model_type": "bloom", "vocab_size": 300, "hidden_size": 64, "n_layer": 2, "n_head": 2}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(shape | {"architectures": ["BloomForCausalLM"]}), encoding="utf-8")
    return file
