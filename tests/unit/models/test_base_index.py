"""transformers loads an adapter's folder by its path alone, with its labels, or is not pointed at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    pipeline,
)

from headstart.methods.load_adapters import load_adapter
from headstart.methods.peft_format import save_adapter, wrap_with_peft
from headstart.models.base_index import write_base_index
from headstart.models.checkpoints import open_checkpoint
from headstart.models.initialise import find_missing_keys, initialise_model
from headstart.store.model_use import find_model_use
from tiny_checkpoints import write_checkpoint

pytest.importorskip("peft")
IDS = torch.tensor([[5, 6, 7, 8, 9, 10]])
NAMES = ("bad", "so so", "good")


def save(folder: Path, base: Path, task: str = "classification", **config: Any) -> Any:
    """An adapter of random weights of `base`, saved as runs save theirs; gives PEFT's model."""
    checkpoint = open_checkpoint(str(base), task, NAMES if task == "classification" else ())
    model = initialise_model(checkpoint, pretrained=True, seed=0)
    adapted = wrap_with_peft(model, {"peft_type": "LORA", **config}, 0, find_missing_keys(checkpoint))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for value in adapted.parameters():
            if value.requires_grad:
                torch.nn.init.normal_(value, std=0.3)
    adapted.eval()
    save_adapter(adapted, checkpoint, folder)
    write_base_index(folder, checkpoint.location)
    return adapted


@pytest.fixture(scope="module")
def body(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint without a head, as most are."""
    folder = tmp_path_factory.mktemp("body")
    AutoModel.from_pretrained(tiny_model).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


def compute_logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    return logits


@pytest.mark.parametrize(
    "config",
    [
        {"r": 2},
        {"r": 2, "target_modules": ["query", "word_embeddings"]},
        {"peft_type": "IA3", "target_modules": ["query"]},
        {"peft_type": "IA3", "target_modules": ["query", "dense"]},
    ],
    ids=["lora", "lora-of-embeddings", "ia3", "ia3-of-feed-forward"],
)
def test_a_classifier_comes_with_its_labels(config: dict[str, Any], body: Path, tmp_path: Path) -> None:
    expected = compute_logits(save(tmp_path / "adapter", body, **config))
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "adapter")
    assert torch.allclose(compute_logits(model), expected, atol=1e-5)
    answers = pipeline("text-classification", model=str(tmp_path / "adapter"))("good film", top_k=None)
    assert {answer["label"] for answer in answers} == set(NAMES)
    assert find_model_use(tmp_path / "adapter") == "transformers"
    assert torch.allclose(compute_logits(load_adapter(tmp_path / "adapter")), expected, atol=1e-5)


def test_a_language_model_comes_whole(tmp_path: Path) -> None:
    base = write_checkpoint(tmp_path / "base", "llama", causal=True)
    expected = compute_logits(save(tmp_path / "adapter", base, "instruction", r=2))
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "adapter")
    assert torch.allclose(compute_logits(model), expected, atol=1e-5)
    write = pipeline("text-generation", model=str(tmp_path / "adapter"))
    (answer,) = write("good film", max_new_tokens=2, do_sample=False)
    assert answer["generated_text"].startswith("good film")


@pytest.mark.parametrize(
    ("config", "use"),
    [
        ({"r": 2, "use_dora": True}, "export"),
        ({"r": 2, "bias": "all"}, "export"),
        ({"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 2}, "headstart"),
    ],
    ids=["dora", "biases", "prefix"],
)
def test_what_transformers_would_load_in_part_is_not_pointed_at_it(
    config: dict[str, Any], use: str, body: Path, tmp_path: Path
) -> None:
    save(tmp_path / "adapter", body, **config)
    assert find_model_use(tmp_path / "adapter") == use


def test_a_base_with_a_head_of_other_classes_is_not_pointed_at(tiny_model: Path, tmp_path: Path) -> None:
    save(tmp_path / "adapter", tiny_model, r=2)
    assert find_model_use(tmp_path / "adapter") == "export"


def test_a_base_in_pickles_is_not_pointed_at(tiny_model: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    base.mkdir()
    for file in tiny_model.iterdir():
        if file.suffix != ".safetensors":
            (base / file.name).write_bytes(file.read_bytes())
    torch.save(model.state_dict(), base / "pytorch_model.bin")
    save(tmp_path / "adapter", base, r=2)
    assert find_model_use(tmp_path / "adapter") == "export"
