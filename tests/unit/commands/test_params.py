"""`params` from a configuration alone: heads, bits as bitsandbytes has them, and memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from headstart.commands.params import params
from headstart.config.study import Lora
from headstart.device import choose_compute_dtype
from headstart.errors import HeadstartError, ModelError
from headstart.methods.four_bits import count_four_bit_bytes, quantise_model
from headstart.models.accounting.counts import count_parameters
from headstart.models.accounting.heads import Head


def test_a_configuration_is_enough(bloom_config: Path) -> None:
    for name in (bloom_config, bloom_config.parent):
        size = params(name)
        assert size.head is Head.CAUSAL_LM
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(bloom_config))
        assert size.total == size.trainable == count_parameters(model).total
        assert size.weight_bytes == 4 * size.total
        assert params(name, bits=16).weight_bytes == 2 * size.total


def test_a_head_and_labels_can_be_asked_for(bloom_config: Path) -> None:
    body = params(bloom_config, head="none").total
    assert params(bloom_config, head="classification", labels=7).total == body + 7 * 64
    assert params(bloom_config, head=Head.CLASSIFICATION, labels=7).total == body + 7 * 64


def test_a_head_that_the_family_has_not_is_refused(bloom_config: Path) -> None:
    with pytest.raises(ModelError, match="no usable checkpoint"):
        params(bloom_config, head="masked-lm")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"head": "tail"}, "'tail' is not known.*one of none, masked-lm, causal-lm, classification"),
        ({"bits": 8}, "8 is not known.*one of 4, 16, 32"),
        ({"omit": ["heads"]}, "no part is called 'heads'"),
    ],
)
def test_what_is_not_known_is_refused(bloom_config: Path, words: dict[str, Any], message: str) -> None:
    with pytest.raises(HeadstartError, match=f"(?s){message}"):
        params(bloom_config, **words)


def test_without_weights_there_is_no_need_of_a_tokenizer(tiny_model: Path) -> None:
    size = params(tiny_model)
    assert size.head is Head.CLASSIFICATION
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    assert size.total == count_parameters(model).total


def _count_bytes(model: Any) -> int:
    """What weights take, constants of four-bit ones included, the code books that all share apart."""
    n_bytes = 0
    for parameter in model.parameters():
        n_bytes += parameter.numel() * parameter.element_size()
        state = getattr(parameter, "quant_state", None)
        if state is not None:
            n_bytes += state.absmax.numel() * state.absmax.element_size()
            n_bytes += state.state2.absmax.numel() * state.state2.absmax.element_size()
    return n_bytes


def test_memory_in_four_bits_is_that_of_bitsandbytes(bloom_config: Path) -> None:
    size = params(bloom_config, bits=4)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(bloom_config))
    quantise_model(model, torch.device("cpu"), choose_compute_dtype("fp32"))
    assert size.weight_bytes == _count_bytes(model)
    assert size.quantised == 2 * 12 * 64 * 64
    # Walking tensors would count half of them.
    assert count_parameters(model).total == size.total


def test_memory_of_gpt2_in_four_bits_is_that_of_bitsandbytes(tmp_path: Path) -> None:
    config = AutoConfig.for_model("gpt2", vocab_size=300, n_embd=64, n_layer=2, n_head=2)
    config.architectures = ["GPT2LMHeadModel"]
    config.save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_config(config)
    quantise_model(model, torch.device("cpu"), choose_compute_dtype("fp32"))
    size = params(tmp_path, bits=4)
    assert size.weight_bytes == _count_bytes(model) < 0.6 * params(tmp_path).weight_bytes
    assert size.quantised == 2 * 12 * 64 * 64


def test_nf4_takes_the_papers_bits_a_weight() -> None:
    """Dettmers et al. 2023, section 3: double quantisation takes 0.127 bits a parameter for constants."""
    assert 8 * count_four_bit_bytes(1 << 24) / (1 << 24) == pytest.approx(4.127, abs=5e-4)


def test_memory_of_training_counts_gradients_and_moments(bloom_config: Path) -> None:
    size = params(bloom_config)
    assert size.training_bytes == size.full_training_bytes == 16 * size.total
    adapted = params(bloom_config, lora=Lora(r=2))
    assert adapted.lora is not None
    assert adapted.training_bytes == 4 * size.total + 16 * adapted.lora.adapters
    assert adapted.full_training_bytes == size.full_training_bytes


@pytest.mark.parametrize("bits", [4, 16, 32])
def test_what_trains_beside_adapters_is_counted_once_in_all_bits(tiny_model: Path, bits: int) -> None:
    """The head and biases in float32, with gradients and moments; all else as it is kept."""
    size = params(tiny_model, lora=Lora(r=2, bias="all"), bits=bits)
    assert size.lora is not None
    beside = size.lora.head + size.lora.biases
    assert size.lora.head > 0
    assert size.lora.biases > 0
    small = sum(map(count_four_bit_bytes, [32 * 32] * 4 * 2)) if bits == 4 else 0
    assert size.quantised >= (4 * 2 * 32 * 32 if bits == 4 else 0)
    frozen = size.total - beside - size.quantised
    in_four_bits = size.weight_bytes - 4 * (size.total - size.quantised) if bits == 4 else 0
    assert in_four_bits >= small
    assert size.training_bytes == in_four_bits + (2 if bits == 16 else 4) * frozen + 16 * size.trainable


def test_a_model_with_nothing_to_quantise_is_refused(
    bloom_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.methods.four_bits.iter_linear_layers", lambda model: iter(()))
    with pytest.raises(ModelError, match="no layer of a bloom can be quantised to 4 bits"):
        params(bloom_config, bits=4)


def test_lora_turns_a_masked_language_model_into_a_classifier(tiny_roberta: Path) -> None:
    config = AutoConfig.from_pretrained(tiny_roberta, architectures=["RobertaForMaskedLM"])
    config.save_pretrained(tiny_roberta.parent / "masked")
    size = params(tiny_roberta.parent / "masked", lora=Lora(r=2))
    assert size.head is Head.CLASSIFICATION


def test_json_is_plain_values(bloom_config: Path) -> None:
    size = params(bloom_config, omit=["biases"], lora=Lora(r=2))
    values = json.loads(json.dumps(size.to_dict()))
    assert values["head"] == "causal-lm"
    assert values["total"] == size.total == sum(part["value"] for part in values["parts"])
    assert all(part["value"] == part["count"] == part["each"] * part["times"] for part in values["parts"])
    assert set(values["symbols"]) == set(values["meanings"]) == {"V", "D", "L", "F"}
    assert size.lora is not None
    assert values["lora"]["trainable"] == values["trainable"] == size.lora.trainable
    assert values["lora"]["targets"]["all"] == size.lora.by_target["all"].weights


def test_what_a_family_cannot_be_counted_with_is_refused(tmp_path: Path) -> None:
    config = {"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 2, "type_vocab_size": []}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"type_vocab_size of config.json is \[\]"):
        params(tmp_path)
