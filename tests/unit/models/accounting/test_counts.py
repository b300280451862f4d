"""Parameters counted by formula and by walking: equal for every family, published totals, loud where not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
)

from headstart.config.study import Lora
from headstart.errors import HeadstartError, ModelError
from headstart.methods.lora_count import count_lora
from headstart.models.accounting.counts import count_by_part, count_parameters
from headstart.models.accounting.families import FAMILIES as KNOWN
from headstart.models.accounting.heads import Head, read_head
from tiny import FAMILIES, GROUPED, make_tiny_config

HEADS: dict[Head, Any] = {
    Head.NONE: AutoModel,
    Head.MASKED_LM: AutoModelForMaskedLM,
    Head.CAUSAL_LM: AutoModelForCausalLM,
    Head.CLASSIFICATION: AutoModelForSequenceClassification,
}
PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text(encoding="utf-8"))
#: What changes a family's parts, besides a tiny model's own settings.
VARIANTS: dict[str, dict[str, Any]] = {
    "albert": {"num_hidden_groups": 2, "inner_group_num": 2},
    "bert": {"type_vocab_size": 1},
    "deberta-v2": {"conv_kernel_size": 3, "type_vocab_size": 2, "position_biased_input": True},
    "electra": {"embedding_size": 32},
    "gpt2": {"n_inner": 20},
    "llama": {"attention_bias": True, "mlp_bias": True},
    "modernbert": {"attention_bias": True, "mlp_bias": True, "norm_bias": True, "classifier_bias": True},
    "qwen3": {"attention_bias": True},
}


#: Tiny shapes of causal families that have formulas and are in no test of packs.
_MORE_HEADS = GROUPED | {"num_attention_heads": 4, "num_key_value_heads": 2}
MORE_FAMILIES: dict[str, dict[str, Any]] = {
    "gemma": _MORE_HEADS | {"head_dim": 16},
    "gemma2": _MORE_HEADS | {"head_dim": 16},
    "gemma3_text": _MORE_HEADS | {"head_dim": 16},
    "gpt_neox": _MORE_HEADS,
    "mistral": _MORE_HEADS | {"head_dim": 16},
    "opt": _MORE_HEADS | {"ffn_dim": 40, "word_embed_proj_dim": 32},
    "phi3": _MORE_HEADS,
    "smollm3": _MORE_HEADS,
}
#: What changes their parts.
MORE_VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("gemma", {"attention_bias": True}),
    ("gemma2", {"attention_bias": True}),
    ("gemma3_text", {"attention_bias": True, "num_key_value_heads": 1}),
    ("gpt_neox", {"attention_bias": False}),
    ("gpt_neox", {"intermediate_size": 64}),
    ("mistral", {"head_dim": 8}),
    ("opt", {"word_embed_proj_dim": 16}),
    ("opt", {"do_layer_norm_before": False}),
    ("opt", {"_remove_final_layer_norm": True}),
    ("opt", {"enable_bias": False}),
    ("opt", {"layer_norm_elementwise_affine": False}),
    ("phi3", {"num_key_value_heads": 1}),
    ("smollm3", {"attention_bias": True, "mlp_bias": True}),
]
#: PEFT's table, and for families that it lacks the layers that hold queries and values.
TARGETS = {
    "gemma": ("q_proj", "v_proj"),
    "gemma2": ("q_proj", "v_proj"),
    "gemma3_text": ("q_proj", "v_proj"),
    "gpt_neox": ("query_key_value",),
    "mistral": ("q_proj", "v_proj"),
    "opt": ("q_proj", "v_proj"),
    "phi3": ("qkv_proj",),
    "smollm3": ("q_proj", "v_proj"),
}


def make_more_config(family: str, **more: Any) -> Any:
    """The tiny configuration of a family of `MORE_FAMILIES`."""
    return AutoConfig.for_model(family, **(MORE_FAMILIES[family] | more))


def build(config: Any, head: Head) -> Any:
    with torch.device("meta"):
        return HEADS[head].from_config(config)


@pytest.mark.parametrize("untied", [{}, {"tie_word_embeddings": False}], ids=["tied", "untied"])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_formulas_and_walk_agree_for_every_family(family: str, head: Head, untied: dict[str, bool]) -> None:
    config = make_tiny_config(family, **untied)
    try:
        model = build(config, head)
    except ValueError:
        pytest.skip(f"transformers has no {family} with head {head}")
    assert count_by_part(model, config, head).total == count_parameters(model).total


@pytest.mark.parametrize("head", [Head.NONE, Head.CLASSIFICATION])
@pytest.mark.parametrize("family", VARIANTS)
def test_formulas_follow_what_a_configuration_changes(family: str, head: Head) -> None:
    config = make_tiny_config(family, **VARIANTS[family])
    model, plain = build(config, head), build(make_tiny_config(family), head)
    counted = count_by_part(model, config, head)
    assert counted.total == count_parameters(model).total != count_parameters(plain).total


@pytest.mark.parametrize("untied", [True, False])
@pytest.mark.parametrize("head", [Head.NONE, Head.CAUSAL_LM, Head.CLASSIFICATION])
@pytest.mark.parametrize("family", MORE_FAMILIES)
def test_formulas_and_walk_agree_for_causal_families(family: str, head: Head, untied: bool) -> None:
    config = make_more_config(family, tie_word_embeddings=not untied)
    model = build(config, head)
    assert count_by_part(model, config, head).total == count_parameters(model).total


@pytest.mark.parametrize("head", [Head.CAUSAL_LM, Head.CLASSIFICATION])
@pytest.mark.parametrize(("family", "changes"), MORE_VARIANTS)
def test_formulas_follow_the_configurations_of_causal_families(
    family: str, changes: dict[str, Any], head: Head
) -> None:
    config = make_more_config(family, **changes)
    model, plain = build(config, head), build(make_more_config(family), head)
    counted = count_by_part(model, config, head)
    assert counted.total == count_parameters(model).total != count_parameters(plain).total


def test_a_bias_that_the_modules_have_not_is_not_counted() -> None:
    """Mistral's and Gemma's modules look at no such key."""
    for family, key in (("mistral", "attention_bias"), ("gemma", "mlp_bias"), ("qwen2", "attention_bias")):
        config = AutoConfig.for_model(family, **_MORE_HEADS, **{key: True})
        model = build(config, Head.CAUSAL_LM)
        assert count_by_part(model, config, Head.CAUSAL_LM).total == count_parameters(model).total


@pytest.mark.parametrize("family", MORE_FAMILIES)
def test_adapters_of_causal_families_go_where_peft_puts_them(family: str) -> None:
    """Adapters are counted by formula and by walking; PEFT's own model has as many."""
    peft = pytest.importorskip("peft")
    table = peft.utils.constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
    assert tuple(table.get(family, TARGETS[family])) == TARGETS[family]
    config = make_more_config(family)
    counted = count_lora(lambda: build(config, Head.CAUSAL_LM), Lora(r=2))
    assert sorted(counted.layer_names) == sorted(TARGETS[family])
    settings = peft.LoraConfig(r=2, target_modules=list(TARGETS[family]), task_type="CAUSAL_LM")
    theirs = peft.get_peft_model(build(config, Head.CAUSAL_LM), settings)
    assert counted.trainable == counted.adapters == count_parameters(theirs).trainable > 0


def test_every_family_with_formulas_is_tested_here() -> None:
    tested = {make_tiny_config(family).model_type for family in FAMILIES} | set(MORE_FAMILIES)
    assert tested == set(KNOWN)


@pytest.mark.parametrize("case", PUBLISHED, ids=lambda case: str(case["name"]))
def test_published_totals_come_out(case: dict[str, Any]) -> None:
    config, head = AutoConfig.for_model(**case["config"]), Head(case["head"])
    assert count_by_part(build(config, head), config, head).total == case["total"]


@pytest.fixture
def roberta_small() -> tuple[Any, Any]:
    """The RoBERTa-small of the French book reviews, as a masked language model."""
    config = AutoConfig.for_model(
        "roberta",
        vocab_size=32_000,
        hidden_size=512,
        max_position_embeddings=258,
        num_hidden_layers=4,
        num_attention_heads=8,
        intermediate_size=512,
        type_vocab_size=1,
        architectures=["RobertaForMaskedLM"],
    )
    return build(config, read_head(config)), config


def test_roberta_small_comes_out_as_by_hand(roberta_small: tuple[Any, Any]) -> None:
    counted = count_by_part(*roberta_small, Head.MASKED_LM).omit(["biases", "norms", "lm-head"])
    assert counted.total == 22_807_552
    assert counted.as_sum == "16,384,000 + 132,096 + 4 x 1,572,864"


def test_roberta_small_with_biases_and_norms(roberta_small: tuple[Any, Any]) -> None:
    """22,829,056 is ALTEGRAD 2023's lab 4, of fairseq, which has no token types."""
    counted = count_by_part(*roberta_small, Head.MASKED_LM)
    assert counted.omit(["token-type-embedding", "pooler", "head", "lm-head"]).total == 22_829_056
    assert counted.omit(["lm-head"]).total == 22_829_056 + 512


def test_walking_alone_gives_the_published_number_too(roberta_small: tuple[Any, Any]) -> None:
    """transformers adds one token type of 512 numbers, which fairseq's RoBERTa has not."""
    with torch.device("meta"):
        model = AutoModel.from_config(roberta_small[1], add_pooling_layer=False)
    assert count_parameters(model).total == count_parameters(model).trainable == 22_829_056 + 512


def test_a_table_of_one_row_is_a_bias_and_one_of_two_is_not() -> None:
    kinds = {}
    for rows in (1, 2):
        config = make_tiny_config("bert", type_vocab_size=rows)
        counted = count_by_part(build(config, Head.NONE), config, Head.NONE)
        kinds[rows] = next(part.kind for part in counted.parts if part.part == "token-type embedding")
    assert kinds == {1: "biases", 2: "weights"}


def test_tied_weights_are_shown_and_not_counted() -> None:
    config = make_tiny_config("camembert")  # its language-model head stands before its body
    counted = count_by_part(build(config, Head.MASKED_LM), config, Head.MASKED_LM)
    values = {(part.place, part.part): part.value for part in counted.parts}
    assert values["lm-head", "decoder"] == 0
    assert values["embeddings", "token embedding"] == 50 * 32


def test_an_odd_module_fails_loudly() -> None:
    config = make_tiny_config("bert")
    model = build(config, Head.NONE)
    model.encoder.layer[1].extra = nn.Linear(3, 3, device="meta")
    with pytest.raises(ModelError, match=r"encoder\.layer\.\*\.extra\.weight has 9 but no formula") as caught:
        count_by_part(model, config, Head.NONE)
    assert "formulas and walk do not agree" in str(caught.value)


def test_a_layer_of_another_size_fails_loudly() -> None:
    config = make_tiny_config("llama")
    model = build(config, Head.CAUSAL_LM)
    model.model.layers[0].mlp.up_proj = nn.Linear(32, 47, bias=False, device="meta")
    with pytest.raises(ModelError, match=r"feed-forward in \(block\) has 3,040, and D·F gives 3,072"):
        count_by_part(model, config, Head.CAUSAL_LM)


def test_a_part_that_is_not_there_fails_loudly() -> None:
    config = make_tiny_config("roberta")
    with pytest.raises(ModelError, match=r"pooler \(pooler\) has 0, and D² gives 1,024"):
        count_by_part(build(config, Head.CLASSIFICATION), config, Head.NONE)


def test_a_family_without_formulas_is_named_with_its_walked_total() -> None:
    config = AutoConfig.for_model("vit", hidden_size=32, num_hidden_layers=1, intermediate_size=32)
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    total = sum(p.numel() for p in model.parameters())
    with pytest.raises(ModelError, match=f"no formulas are known for a vit, which has {total:,} parameters"):
        count_by_part(model, config, Head.NONE)


def test_what_is_omitted_must_be_there() -> None:
    config = make_tiny_config("bert")
    counted = count_by_part(build(config, Head.NONE), config, Head.NONE)
    assert counted.omit([]).total == counted.total
    assert counted.omit(["blocks", "embeddings", "pooler"]).total == 0
    with pytest.raises(HeadstartError, match="no part is called 'heads'"):
        counted.omit(["heads"])
