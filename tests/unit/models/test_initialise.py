"""Initialisation: what a seed decides, what arms share, and what a checkpoint must hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from headstart.errors import ModelError
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.models.initialise import find_missing_keys, initialise_model, load_plain_model
from headstart.os_faults import MachineError
from tiny_checkpoints import write_checkpoint

NAMES = ("bad", "good")


@pytest.fixture
def checkpoint(tiny_model: Path) -> Checkpoint:
    """The tiny checkpoint, opened for two classes."""
    return open_checkpoint(str(tiny_model), "classification", NAMES)


def _weights(checkpoint: Checkpoint, *, pretrained: bool, seed: int) -> dict[str, torch.Tensor]:
    return initialise_model(checkpoint, pretrained=pretrained, seed=seed).state_dict()


def _head(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in weights.items() if name.startswith("classifier")}


def _same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("pretrained", [True, False])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(
    checkpoint: Checkpoint, pretrained: bool
) -> None:
    first = _weights(checkpoint, pretrained=pretrained, seed=1)
    torch.rand(3)
    assert _same(first, _weights(checkpoint, pretrained=pretrained, seed=1))
    assert not _same(first, _weights(checkpoint, pretrained=pretrained, seed=2))


def test_arms_that_share_a_seed_share_the_head_and_nothing_else(checkpoint: Checkpoint) -> None:
    pretrained = _weights(checkpoint, pretrained=True, seed=5)
    random = _weights(checkpoint, pretrained=False, seed=5)
    assert _head(pretrained)
    assert _same(_head(pretrained), _head(random))
    name = "bert.embeddings.word_embeddings.weight"
    assert not torch.equal(pretrained[name], random[name])


def test_pretrained_takes_the_checkpoints_body(checkpoint: Checkpoint, tiny_model: Path) -> None:
    body = AutoModel.from_pretrained(tiny_model).state_dict()
    initialised = _weights(checkpoint, pretrained=True, seed=0)
    shared = [name for name in body if f"bert.{name}" in initialised]
    assert len(shared) > 20
    assert all(torch.equal(body[name], initialised[f"bert.{name}"]) for name in shared)


def test_a_head_comes_along_only_for_the_very_same_labels(checkpoint: Checkpoint, tmp_path: Path) -> None:
    tuned: Any = initialise_model(checkpoint, pretrained=True, seed=3)
    tuned.save_pretrained(tmp_path)
    checkpoint.tokenizer.save_pretrained(tmp_path)
    same = open_checkpoint(str(tmp_path), "classification", NAMES)
    second = open_checkpoint(str(tmp_path), "classification", ("cold", "warm"))
    assert _same(_head(_weights(same, pretrained=True, seed=0)), _head(tuned.state_dict()))
    assert not _same(_head(_weights(second, pretrained=True, seed=0)), _head(tuned.state_dict()))
    assert _same(
        _head(_weights(second, pretrained=True, seed=0)), _head(_weights(second, pretrained=False, seed=0))
    )


def test_torchs_own_generator_is_left_alone(checkpoint: Checkpoint) -> None:
    torch.manual_seed(0)
    expected = torch.rand(4)
    torch.manual_seed(0)
    initialise_model(checkpoint, pretrained=True, seed=1)
    initialise_model(checkpoint, pretrained=False, seed=1)
    assert torch.equal(torch.rand(4), expected)


def test_a_model_starts_in_float32_and_training_mode(checkpoint: Checkpoint) -> None:
    model = initialise_model(checkpoint, pretrained=True, seed=0)
    assert model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_body_of_other_sizes_is_refused(checkpoint: Checkpoint) -> None:
    checkpoint.config.intermediate_size += 1
    with pytest.raises(ModelError, match="weights of the body are missing or of the wrong size"):
        initialise_model(checkpoint, pretrained=True, seed=0)


def test_positions_that_padding_takes_are_no_room_for_tokens(tiny_roberta: Path) -> None:
    """RoBERTa counts positions from padding_idx + 1: 66 positions hold 64 tokens."""
    opened = open_checkpoint(str(tiny_roberta), "classification", NAMES)
    assert opened.max_length == 64
    assert opened.resolve_max_length(None) == 64
    with pytest.raises(ModelError, match="max_length 65 is more than"):
        opened.resolve_max_length(65)


def _edit(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_layers_that_the_configuration_does_not_count_are_refused(tmp_path: Path) -> None:
    """The library drops them, and trains what is left."""
    folder = write_checkpoint(tmp_path, "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    opened = open_checkpoint(str(folder), "classification", NAMES)
    for load in (find_missing_keys, load_plain_model):
        with pytest.raises(ModelError, match=r"16 weights of layers that its config\.json does not count"):
            load(opened)


def test_parts_that_are_left_out_on_purpose_are_no_layers(tmp_path: Path) -> None:
    """Such as a pooler that the family's classifier has not, and the head of the masked language model."""
    folder = write_checkpoint(tmp_path, "roberta")
    more = {"roberta.pooler.dense.weight": torch.zeros(32, 32), "lm_head.dense.weight": torch.zeros(32, 32)}
    _edit(folder, lambda weights: weights.update(more))
    assert find_missing_keys(open_checkpoint(str(folder), "classification", NAMES))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "bert")
    name = "bert.encoder.layer.1.output.dense.weight"
    _edit(folder, lambda weights: weights[name].view(-1)[:1].fill_(value))
    opened = open_checkpoint(str(folder), "classification", NAMES)
    with pytest.raises(ModelError, match=rf"contain nan or infinity, such as {name}"):
        find_missing_keys(opened)


def test_model_that_is_to_answer_lacks_nothing(tmp_path: Path) -> None:
    """The library draws a head at random where there is none, and says so in its log alone."""
    folder = write_checkpoint(tmp_path, "bert")
    AutoModel.from_pretrained(folder).save_pretrained(folder)
    opened = open_checkpoint(str(folder), "classification", NAMES)
    assert "classifier.weight" in find_missing_keys(opened)
    with pytest.raises(ModelError, match=r"such as classifier\.bias: answers would be random"):
        load_plain_model(opened)


def test_other_names_are_shown(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "bert")
    weights = load_file(folder / "model.safetensors")
    save_file({f"net.{name}": value for name, value in weights.items()}, folder / "model.safetensors")
    opened = open_checkpoint(str(folder), "classification", NAMES)
    with pytest.raises(ModelError, match=r"have other names, such as net\.bert\.embeddings"):
        find_missing_keys(opened)


def test_too_many_threads_are_no_fault_of_the_weights(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("headstart.models.initialise.load_network", refuse)
    with pytest.raises(MachineError, match=r"^too many processes or threads") as caught:
        load_plain_model(checkpoint)
    assert caught.value.where is None
