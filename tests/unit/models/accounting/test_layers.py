"""A section's lines: which parameters each counts, and by what formula."""

from __future__ import annotations

import math

import pytest
from transformers import AutoConfig

from headstart.errors import ModelError
from headstart.models.accounting.layers import (
    LayerSpec,
    NormSpec,
    PartSpec,
    SectionSpec,
    list_parts,
    read_symbols,
    specify_decoder,
)


def test_biases_and_norms_of_a_section_stand_in_a_line_each() -> None:
    layers = (
        LayerSpec("in", "a", "D·F", "F"),
        NormSpec("first"),
        LayerSpec("out", "b", "D·F", "D"),
        NormSpec("second", has_shift=False),
    )
    assert list(list_parts(SectionSpec("block", layers, "L"))) == [
        PartSpec("in", "weights", "D·F", ("a.weight",)),
        PartSpec("out", "weights", "D·F", ("b.weight",)),
        PartSpec("biases", "biases", "F + D", ("a.bias", "b.bias")),
        PartSpec("norms", "norms", "3·D", ("first.weight", "first.bias", "second.weight")),
    ]


def test_a_table_of_one_row_is_a_bias_with_a_line_to_itself() -> None:
    table = LayerSpec("token-type embedding", "types", bias="D", is_bias_table=True)
    parts = list(list_parts(SectionSpec("embeddings", (table,))))
    assert parts == [PartSpec("token-type embedding", "biases", "D", ("types.weight",))]


@pytest.mark.parametrize(("is_tied", "formula"), [(True, ""), (False, "V·E")])
def test_a_tied_decoder_has_no_weights_and_yet_a_line(is_tied: bool, formula: str) -> None:
    config = AutoConfig.for_model("bert", tie_word_embeddings=is_tied)
    decoder = specify_decoder(config, "decoder", "E")
    parts = list(list_parts(SectionSpec("lm-head", (decoder,))))
    assert parts == [PartSpec("decoder", "weights", formula, ("decoder.weight",))]


def test_symbols_follow_the_configuration() -> None:
    config = AutoConfig.for_model(
        "llama", hidden_size=64, num_attention_heads=4, num_key_value_heads=2, head_dim=32, num_labels=5
    )
    symbols = read_symbols(config)
    assert (symbols["D"], symbols["A"], symbols["K"], symbols["W"]) == (64, 128, 64, 32)
    assert (symbols["M"], symbols["C"]) == (symbols["L"] - 1, 5)


@pytest.mark.parametrize("size", [[], [None], "", "32", math.inf, 1.5, {"a": 1}])
@pytest.mark.parametrize("key", ["type_vocab_size", "intermediate_size", "head_dim", "num_key_value_heads"])
def test_a_size_that_is_none_is_refused_by_name(key: str, size: object) -> None:
    """GPT-2 has no use for these keys, so that it can be built with anything there."""
    config = AutoConfig.for_model("gpt2", **{key: size})
    with pytest.raises(ModelError, match=f"{key} of config.json is ") as refused:
        read_symbols(config)
    assert refused.value.got.endswith(repr(size))
    assert refused.value.expected == "a whole number"
