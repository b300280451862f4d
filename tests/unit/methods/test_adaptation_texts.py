"""Texts that are too few to be adapted to: the key of the study file is named, with what fits."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoTokenizer

from headstart.errors import DataError
from headstart.methods.adaptation_texts import build_blocks
from small_studies import make_study


def _prepare(out: Path, model: str, texts: list[str], **adapt: Any) -> Any:
    """What is read of a prepared run."""
    parts = {part: SimpleNamespace(texts=texts) for part in ("train", "valid", "test")}
    study = make_study(out, arms={"a": {"init": "adapted"}}, adapt=adapt)
    prepared = SimpleNamespace(study=study, corpus=SimpleNamespace(parts=parts))
    return SimpleNamespace(
        study=prepared, checkpoint=SimpleNamespace(tokenizer=AutoTokenizer.from_pretrained(model))
    )


def test_texts_of_less_than_a_block_name_the_key_and_the_most(tmp_path: Path, tiny_roberta: str) -> None:
    with pytest.raises(DataError, match="1 document with 4 tokens in all, less than one block") as caught:
        build_blocks(_prepare(tmp_path, tiny_roberta, ["a a"]), 16)
    assert caught.value.where == "adapt.block"
    assert caught.value.fix == "set adapt.block to 4 or less, or name files with more text as adapt.text"
    train, valid = build_blocks(_prepare(tmp_path, tiny_roberta, ["a a"]), 4)
    assert train is valid, "what is held out fills no block"


def test_a_file_that_cannot_be_read_is_not_taken_for_too_few_texts(tmp_path: Path, tiny_roberta: str) -> None:
    (tmp_path / "more.txt").write_bytes(b"\xe9\n")
    prepared = _prepare(tmp_path / "out", tiny_roberta, ["a a"], text=[str(tmp_path / "more.txt")])
    with pytest.raises(DataError, match="is not UTF-8") as caught:
        build_blocks(prepared, 16)
    assert caught.value.where == f"{tmp_path}/more.txt:1"
