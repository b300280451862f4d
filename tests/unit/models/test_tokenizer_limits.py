"""Replacements that swell texts are refused; those of families that are used are not."""

from __future__ import annotations

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers
from transformers import PreTrainedTokenizerFast

from headstart.errors import ModelError
from headstart.models.tokenizer_limits import check_growth


def make_tokenizer(*steps: object) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    tokenizer.normalizer = normalizers.Sequence(list(steps))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_those_of_families_that_are_used_pass() -> None:
    usual = [
        normalizers.NFKC(),
        normalizers.Prepend("\u2581"),
        normalizers.Replace(" ", "\u2581"),
        normalizers.Replace(Regex(" {2,}"), " "),
        normalizers.Replace("``", '"'),
        normalizers.Lowercase(),
    ]
    check_growth(make_tokenizer(*usual), "model")
    check_growth(PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}))), "model")


@pytest.mark.parametrize(
    "steps",
    [
        [normalizers.Replace("a", "aa")] * 7,
        [normalizers.Replace("a", "b" * 101)],
        [normalizers.Replace(Regex("a*"), "b" * 101)],
        [normalizers.Sequence([normalizers.Replace("ab", "b" * 30)]), normalizers.Replace("b", "c" * 9)],
    ],
)
def test_those_that_swell_texts_are_refused(steps: list[object]) -> None:
    with pytest.raises(ModelError, match="times longer"):
        check_growth(make_tokenizer(*steps), "model")
