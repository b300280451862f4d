"""Words that a tokenizer does not know are counted: they become its unknown token, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from headstart.data.unknown_words import measure_unknown_words
from tiny_checkpoints import make_tokenizer


@pytest.mark.parametrize(
    ("texts", "share", "examples"),
    [
        (["the film was good"], 0.0, ()),
        (["the film was gut"], 0.25, ("gut",)),
        (["der Film war gut", "gut gut"], 1.0, ("gut", "der", "Film")),
        (["good?"], 0.0, ()),
        (["good!"], 0.5, ("good!",)),
        (["", "  "], 0.0, ()),
    ],
)
def test_share_of_unknown_words(texts: list[str], share: float, examples: tuple[str, ...]) -> None:
    unknown = measure_unknown_words(texts, make_tokenizer())
    assert (unknown.share, unknown.examples) == (share, examples)


def test_words_that_are_dropped_are_unknown() -> None:
    backend = Tokenizer(models.BPE({"a": 0, "b": 1}, []))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    assert measure_unknown_words(["ab ba xy"], tokenizer).share == pytest.approx(1 / 3)
    assert measure_unknown_words(["ab ba xy"], tokenizer).examples == ("xy",)


def test_names_of_special_tokens_are_known_as_text(tiny_bloom: Path) -> None:
    """As of GPT-2, whose unknown token is its end token."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bloom, unk_token="</s>")
    assert measure_unknown_words(["ab </s> cd"], tokenizer).share == 0
