"""A folder's word on how many tokens its model takes is what the loaded checkpoint says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headstart.models.checkpoints import open_checkpoint
from headstart.models.token_limit import read_token_limit


@pytest.mark.parametrize("model", ["tiny_model", "tiny_roberta"])
def test_limit_is_that_of_the_loaded_checkpoint(model: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(model)
    assert read_token_limit(folder) == open_checkpoint(str(folder), "classification", ("a", "b")).max_length


def test_the_smaller_one_counts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"n_positions": 99}), encoding="utf-8")
    assert read_token_limit(tmp_path) == 99
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 77}), encoding="utf-8")
    assert read_token_limit(tmp_path) == 77


@pytest.mark.parametrize("content", ["", "[]", "{}", "{", '{"n_positions": null}'])
def test_nothing_is_known_of_other_folders(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    assert read_token_limit(tmp_path) is None
    assert read_token_limit(tmp_path / "none") is None
