"""Text that fills no block of a pretraining: which part it is, which key, and what would fit."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from headstart.config.pretraining import Pretraining
from headstart.data.text_corpus import TextList
from headstart.errors import DataError
from headstart.pretraining.open import open_blocks

ENOUGH = ["a a a a a a"] * 4


@pytest.mark.parametrize(
    ("train", "valid", "got", "fix"),
    [
        (
            ["a a"],
            ENOUGH,
            "1 document with 4",
            "training.block to 4 or less, or name more text",
        ),
        (
            ENOUGH,
            ["a a"],
            "validation text: 1 document",
            "training.block to 4 or less, or name files",
        ),
        (
            ENOUGH,
            [],
            "validation text: no documents",
            "name files as data.valid, or set",
        ),
    ],
)
def test_too_few_texts_name_what_to_set(
    tiny_roberta: str, train: list[str], valid: list[str], got: str, fix: str
) -> None:
    settings = Pretraining.model_validate({"data": {"train": "x"}, "training": {"block": 16}})
    tokenizer = AutoTokenizer.from_pretrained(tiny_roberta)
    with pytest.raises(DataError) as caught:
        open_blocks(settings, (TextList(train), TextList(valid)), tokenizer)
    assert caught.value.got.startswith(got)
    assert fix in str(caught.value.fix)
