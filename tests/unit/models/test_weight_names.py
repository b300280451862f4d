"""Weights under the names that wrappers and tied heads give them are read as those they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from headstart.models.checkpoints import open_checkpoint
from headstart.models.initialise import initialise_model
from headstart.models.weight_names import find_renaming
from tiny_checkpoints import write_checkpoint

State = dict[str, torch.Tensor]
IDS = torch.tensor([[5, 6, 7, 8, 9]])


def rename(folder: Path, change: Callable[[State], State]) -> None:
    state = change(load_file(folder / "model.safetensors"))
    values = {name: value.clone() for name, value in state.items()}
    save_file(values, folder / "model.safetensors", metadata={"format": "pt"})


def read_body(model: Any) -> State:
    return dict(model.base_model.state_dict())


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("family", ["bert", "llama"])
def test_prefixes_of_wrappers(family: str, prefix: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", family)
    plain = AutoModelForSequenceClassification.from_pretrained(folder)
    rename(folder, lambda state: {prefix + name: value for name, value in state.items()})
    found = read_body(
        initialise_model(open_checkpoint(str(folder), "classification", ("a", "b")), pretrained=True, seed=0)
    )
    for name, value in plain.base_model.state_dict().items():
        assert torch.equal(found[name], value), name


def test_layers_that_were_compiled_one_by_one(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", "llama", causal=True)
    expected = AutoModelForCausalLM.from_pretrained(folder)(IDS).logits
    rename(
        folder,
        lambda state: {n.replace("layers.1.", "layers.1._orig_mod."): v for n, v in state.items()},
    )
    model = initialise_model(open_checkpoint(str(folder), "instruction", ()), pretrained=True, seed=0)
    torch.testing.assert_close(model.eval()(input_ids=IDS).logits, expected, rtol=0, atol=1e-6)


def test_pickles_with_prefixes(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", "bert")
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save({f"module.{name}": value for name, value in state.items()}, folder / "pytorch_model.bin")
    model = initialise_model(
        open_checkpoint(str(folder), "classification", ("a", "b")), pretrained=True, seed=0
    )
    assert torch.equal(
        model.state_dict()["bert.embeddings.LayerNorm.weight"], state["bert.embeddings.LayerNorm.weight"]
    )


@pytest.mark.parametrize(
    ("family", "table"),
    [
        ("opt", "model.decoder.embed_tokens.weight"),
        ("gpt2", "transformer.wte.weight"),
        ("llama", "model.embed_tokens.weight"),
    ],
)
def test_table_that_was_saved_by_its_head_alone(family: str, table: str, tmp_path: Path) -> None:
    """A classifier has no such head: the table is its embedding, as the configuration says."""
    folder = write_checkpoint(tmp_path / "m", family, causal=True, tie_word_embeddings=True)
    plain = AutoModelForCausalLM.from_pretrained(folder)
    expected = plain.get_input_embeddings().weight
    rename(folder, lambda state: {"lm_head.weight": state.pop(table), **state})
    classifier = initialise_model(
        open_checkpoint(str(folder), "classification", ("a", "b")), pretrained=True, seed=0
    )
    assert torch.equal(classifier.state_dict()[table], expected)
    causal = initialise_model(open_checkpoint(str(folder), "instruction", ()), pretrained=True, seed=0)
    torch.testing.assert_close(
        causal.eval()(input_ids=IDS).logits, plain.eval()(input_ids=IDS).logits, rtol=0, atol=1e-6
    )


def test_untied_head_is_no_embedding(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", "llama", causal=True, tie_word_embeddings=False)
    rename(folder, lambda state: {n: v for n, v in state.items() if "embed_tokens" not in n})
    assert find_renaming(folder, AutoConfig.from_pretrained(folder)) == {}


@pytest.mark.parametrize("family", ["bert", "gpt2", "llama", "albert", "modernbert"])
def test_names_as_the_library_writes_them_stay(family: str, tmp_path: Path) -> None:
    causal = family in ("gpt2", "llama")
    folder = write_checkpoint(tmp_path / "m", family, causal=causal)
    assert find_renaming(folder, AutoConfig.from_pretrained(folder)) == {}


@pytest.mark.parametrize("family", ["bert", "opt"])
def test_what_is_saved_has_the_familys_own_names(family: str, tmp_path: Path) -> None:
    """The library gives a model back the names that it was loaded under."""
    folder = write_checkpoint(tmp_path / "m", family, causal=family == "opt", tie_word_embeddings=True)
    table = "model.decoder.embed_tokens.weight" if family == "opt" else ""
    renamed = {table: "lm_head.weight"}
    rename(folder, lambda state: {f"_orig_mod.{renamed.get(n, n)}": v for n, v in state.items()})
    opened = open_checkpoint(str(folder), "classification", ("a", "b"))
    model: Any = initialise_model(opened, pretrained=True, seed=0)
    model.save_pretrained(tmp_path / "saved")
    saved = load_file(tmp_path / "saved" / "model.safetensors")
    assert saved.keys() <= model.state_dict().keys()
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved")
    torch.testing.assert_close(
        again.eval()(input_ids=IDS).logits, model.eval()(input_ids=IDS).logits, rtol=0, atol=1e-6
    )
