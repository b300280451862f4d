"""`params` from a configuration alone: heads, bits as bitsandbytes has them, and the page about LoRA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from headstart.config.study import Lora
from headstart.engine.device import compute_format
from headstart.errors import ModelError
from headstart.methods.four_bits import four_bit_bytes, quantise
from headstart.models.count import count
from headstart.report.explain import page
from headstart.sizing import explain_lora, params

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A BLOOM's `config.json` and nothing beside it."""
    shape = {"model_type": "bloom", "vocab_size": 300, "hidden_size": 64, "n_layer": 2, "n_head": 2}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(shape | {"architectures": ["BloomForCausalLM"]}), encoding="utf-8")
    return file


def test_a_configuration_is_enough(config_file: Path) -> None:
    for name in (config_file, config_file.parent):
        sizes = params(name)
        assert sizes.head == "causal-lm"
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(config_file))
        assert sizes.total == sizes.trainable == count(model).total
        assert sizes.weight_bytes == 4 * sizes.total
        assert params(name, bits=16).weight_bytes == 2 * sizes.total


def test_a_head_and_labels_can_be_asked_for(config_file: Path) -> None:
    body = params(config_file, head="none").total
    assert params(config_file, head="classification", labels=7).total == body + 7 * 64


def test_a_head_that_the_family_has_not_is_refused(config_file: Path) -> None:
    with pytest.raises(ModelError, match="no usable checkpoint"):
        params(config_file, head="masked-lm")


def test_without_weights_there_is_no_need_of_a_tokenizer(tiny_model: Path) -> None:
    sizes = params(tiny_model)
    assert sizes.head == "classification"
    assert sizes.total == count(AutoModelForSequenceClassification.from_pretrained(tiny_model)).total


def _bytes(model: Any) -> int:
    """What weights take, constants of four-bit ones included, the code books that all share apart."""
    held = 0
    for parameter in model.parameters():
        held += parameter.numel() * parameter.element_size()
        state = getattr(parameter, "quant_state", None)
        if state is not None:
            held += state.absmax.numel() * state.absmax.element_size()
            held += state.state2.absmax.numel() * state.state2.absmax.element_size()
    return held


def test_memory_in_four_bits_is_that_of_bitsandbytes(config_file: Path) -> None:
    sizes = params(config_file, bits=4)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(config_file))
    quantise(model, torch.device("cpu"), compute_format("fp32"))
    assert sizes.weight_bytes == _bytes(model)
    assert sizes.quantised == 2 * 12 * 64 * 64
    # Walking tensors would count half of them.
    assert count(model).total == sizes.total


def test_nf4_takes_the_papers_bits_a_weight() -> None:
    """Dettmers et al. 2023, section 3: double quantisation takes 0.127 bits a parameter for constants."""
    assert 8 * four_bit_bytes(1 << 24) / (1 << 24) == pytest.approx(4.127, abs=5e-4)


def test_memory_of_training_counts_gradients_and_moments(config_file: Path) -> None:
    sizes = params(config_file)
    assert sizes.training_bytes == 16 * sizes.total
    adapted = params(config_file, lora=Lora(r=2))
    assert adapted.adapters is not None
    assert adapted.training_bytes == 4 * sizes.total + 16 * adapted.adapters.adapters


def test_lora_turns_a_masked_language_model_into_a_classifier(tiny_roberta: Path) -> None:
    config = AutoConfig.from_pretrained(tiny_roberta, architectures=["RobertaForMaskedLM"])
    config.save_pretrained(tiny_roberta.parent / "masked")
    sizes = params(tiny_roberta.parent / "masked", lora=Lora(r=2))
    assert sizes.head == "classification"


def test_facts_are_plain_values(config_file: Path) -> None:
    facts = json.loads(json.dumps(params(config_file, omit=["biases"], lora=Lora(r=2)).facts))
    assert {"parts", "total", "trainable"} <= facts.keys()
    assert facts["total"] == sum(row["value"] for row in facts["parts"])
    assert all(row["value"] == row["count"] == row["each"] * row["times"] for row in facts["parts"])
    assert set(facts["symbols"]) == {"V", "D", "L", "F"}


def test_the_page_in_the_docs_is_what_the_command_prints() -> None:
    assert (ROOT / "docs" / "lora.md").read_text(encoding="utf-8") == page(explain_lora())


def test_the_page_takes_the_numbers_of_the_model_at_hand(config_file: Path) -> None:
    written = page(explain_lora(config_file, Lora(r=8, target=("query_key_value",))))
    assert "2 x 8 x (64 + 192) = 4,096" in written
    assert "CAUSAL_LM" in written
    assert "BLOOM-560m" not in written


def test_the_page_is_filled_by_a_sandbox() -> None:
    hostile = explain_lora() | {"model": "{{ ().__class__ }}"}
    assert "{{ ().__class__ }}" in page(hostile)
