"""Heads by the names of transformers' classes, and by the command line's words."""

from __future__ import annotations

import pytest
from transformers import AutoConfig

from headstart.errors import HeadstartError
from headstart.models.accounting.heads import Head, parse_head, read_head


@pytest.mark.parametrize(
    ("architectures", "head"),
    [
        (["RobertaForMaskedLM"], Head.MASKED_LM),
        (["GPT2LMHeadModel"], Head.CAUSAL_LM),
        (["BloomForCausalLM"], Head.CAUSAL_LM),
        (["BertForSequenceClassification"], Head.CLASSIFICATION),
        (["BertModel"], Head.NONE),
        (["BertForTokenClassification"], Head.NONE),
        ([], Head.NONE),
        (None, Head.NONE),
    ],
)
def test_the_architecture_names_the_head(architectures: list[str] | None, head: Head) -> None:
    assert read_head(AutoConfig.for_model("bert", architectures=architectures)) is head


def test_words_are_those_of_the_command_line() -> None:
    words = ["none", "masked-lm", "causal-lm", "classification"]
    assert [head.value for head in Head] == words
    assert [parse_head(word) for word in words] == list(Head)


def test_another_word_is_refused() -> None:
    with pytest.raises(HeadstartError, match="'Masked-LM' is not known"):
        parse_head("Masked-LM")
