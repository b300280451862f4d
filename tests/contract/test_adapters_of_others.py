"""Adapters that others saved by PEFT, without Headstart's notes or a configuration: read as PEFT does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSequenceClassification

from headstart.commands.export import export
from headstart.commands.generate import open_generator
from headstart.commands.params import params
from headstart.commands.predict import open_predictor
from headstart.engine.generate import GenerationConfig
from headstart.errors import ModelError
from headstart.methods.load_adapters import load_adapter
from headstart.methods.peft_format import save_adapter, wrap_with_peft
from headstart.models.checkpoints import open_checkpoint
from headstart.models.initialise import find_missing_keys, initialise_model
from headstart.training.network_predictor import NetworkPredictor
from tiny_checkpoints import VOCABULARY, make_tokenizer, write_checkpoint

IDS = torch.tensor([[5, 6, 7, 8, 9, 10]])
CAUSAL = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4}
LABELS = {"peft_type": "LORA", "task_type": "SEQ_CLS", "r": 4}
VIRTUAL = 4


def adapt(
    folder: Path,
    base: Path,
    config: dict[str, Any],
    tokenizer: Any = None,
    rows: int | None = None,
    **loading: Any,
) -> Any:
    """An adapter of `base` with random weights, saved by PEFT alone; gives PEFT's model."""
    library = (
        AutoModelForCausalLM if config["task_type"] == "CAUSAL_LM" else AutoModelForSequenceClassification
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = library.from_pretrained(base, **loading)
        if rows is not None:
            model.resize_token_embeddings(rows)
        adapted = peft.get_peft_model(model, peft.get_peft_config(dict(config)))
        for value in adapted.parameters():
            if value.requires_grad:
                torch.nn.init.normal_(value, std=0.5)
    adapted.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    return adapted.eval()


def compute_logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model.double()(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    return logits


def change(folder: Path, **values: Any) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def make_longer_tokenizer() -> Any:
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<|turn|>", "<|call|>"])
    return tokenizer


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "llama", "llama", causal=True)


def test_causal_adapter_without_configuration(llama: Path, tmp_path: Path) -> None:
    theirs = adapt(tmp_path / "adapter", llama, CAUSAL)
    ours = open_generator(str(tmp_path / "adapter"))
    torch.testing.assert_close(compute_logits(ours.model), compute_logits(theirs), rtol=0, atol=1e-6)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("family", "more"),
    [
        ("llama", {}),
        ("llama", {"modules_to_save": ["embed_tokens", "lm_head"]}),
        ("llama", {"trainable_token_indices": [3, len(VOCABULARY)]}),
        ("gpt2", {"modules_to_save": ["wte", "lm_head"]}),
        ("opt", {}),
    ],
)
def test_adapter_that_was_trained_with_added_tokens(
    family: str, more: dict[str, Any], tied: bool, tmp_path: Path
) -> None:
    """Its embedding has the rows that it saved, and so has what is exported."""
    base = write_checkpoint(tmp_path / "base", family, causal=True, tie_word_embeddings=tied)
    longer = make_longer_tokenizer()
    theirs = adapt(tmp_path / "adapter", base, CAUSAL | more, longer, rows=len(longer))
    ours = open_generator(str(tmp_path / "adapter"))
    assert ours.checkpoint.embedding_rows == len(longer)
    expected = compute_logits(theirs)
    torch.testing.assert_close(compute_logits(ours.model), expected, rtol=0, atol=1e-6)
    (answer,) = ours.generate(["good <|turn|> film"], GenerationConfig(max_new_tokens=2))
    assert isinstance(answer.text, str)
    export(tmp_path / "adapter", tmp_path / "whole")
    whole = compute_logits(AutoModelForCausalLM.from_pretrained(tmp_path / "whole"))
    assert float((whole - expected).abs().max()) < 1e-3


def test_added_tokens_without_rows_are_refused_in_texts_alone(llama: Path, tmp_path: Path) -> None:
    adapt(tmp_path / "adapter", llama, CAUSAL, make_longer_tokenizer())
    ours = open_generator(str(tmp_path / "adapter"))
    ours.generate(["good film"], GenerationConfig(max_new_tokens=2))
    with pytest.raises(ModelError, match=r"no row of its embedding of 40 is for .*<\|turn\|>"):
        ours.generate(["good <|turn|> film"], GenerationConfig(max_new_tokens=2))


def test_rows_that_neither_adapter_nor_base_has_are_refused(tmp_path: Path) -> None:
    """LoRA beside the embedding: PEFT saved its new rows, and not those of the head."""
    base = write_checkpoint(tmp_path / "base", "llama", causal=True, tie_word_embeddings=False)
    longer = make_longer_tokenizer()
    targets = {"target_modules": ["q_proj", "embed_tokens"]}
    adapt(tmp_path / "adapter", base, CAUSAL | targets, longer, rows=len(longer))
    with pytest.raises(ModelError, match=r"missing or of the wrong size, such as lm_head\.weight"):
        open_generator(str(tmp_path / "adapter"))


@pytest.mark.parametrize("kind", ["LORA", "IA3", "PROMPT_TUNING", "PREFIX_TUNING"])
def test_classifier_has_the_outputs_that_its_head_has(kind: str, tmp_path: Path) -> None:
    base = write_checkpoint(tmp_path / "base", "roberta")
    config: dict[str, Any] = {"peft_type": kind, "task_type": "SEQ_CLS"}
    is_prompt = kind.endswith("TUNING")
    config |= {"num_virtual_tokens": VIRTUAL} if is_prompt else {}
    theirs = adapt(tmp_path / "adapter", base, config, num_labels=5, ignore_mismatched_sizes=True)
    ours = open_predictor(tmp_path / "adapter")
    assert isinstance(ours, NetworkPredictor)
    assert ours.task.name == "classification"
    assert [name for name in ours.predict(["good film"])[0] if name.startswith("p_")] == [
        f"p_LABEL_{i}" for i in range(5)
    ]
    torch.testing.assert_close(compute_logits(ours.module), compute_logits(theirs), rtol=0, atol=1e-6)
    assert ours.max_length == 38 - (VIRTUAL if is_prompt else 0)
    assert ours.predict(["good film " * 60])


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_prompt_before_a_decoders_classifier_is_refused(family: str, tmp_path: Path) -> None:
    """PEFT's own answer to a text is another beside a longer one."""
    base = write_checkpoint(tmp_path / "base", family)
    config = {"peft_type": "PROMPT_TUNING", "task_type": "SEQ_CLS", "num_virtual_tokens": VIRTUAL}
    adapt(tmp_path / "adapter", base, config)
    with pytest.raises(ModelError, match="not found after virtual tokens"):
        open_predictor(tmp_path / "adapter")


def test_tasks_are_not_mixed_up(llama: Path, tmp_path: Path) -> None:
    adapt(tmp_path / "causal", llama, CAUSAL)
    with pytest.raises(ModelError, match="this is a generative model"):
        open_predictor(tmp_path / "causal")
    base = write_checkpoint(tmp_path / "base", "gpt2")
    adapt(tmp_path / "labels", base, LABELS)
    for folder in (tmp_path / "labels", base):
        with pytest.raises(ModelError, match="this model labels texts, it does not generate answers"):
            open_generator(str(folder))


def test_pooler_at_random_is_refused(tmp_path: Path) -> None:
    """Masked-language models have none, and PEFT saves the classifier behind it alone."""
    base = tmp_path / "base"
    write_checkpoint(base, "bert")
    AutoModelForMaskedLM.from_pretrained(base).save_pretrained(base)
    adapt(tmp_path / "adapter", base, LABELS)
    with pytest.raises(ModelError, match=r"such as bert\.pooler\.dense\.bias: answers would be random"):
        open_predictor(tmp_path / "adapter")


def test_base_of_other_depth_is_refused(llama: Path, tmp_path: Path) -> None:
    """PEFT leaves a layer at random, or drops it, with a warning at most."""
    deeper = write_checkpoint(tmp_path / "deeper", "llama", causal=True, num_hidden_layers=3)
    adapt(tmp_path / "shallow", llama, CAUSAL)
    change(tmp_path / "shallow", base_model_name_or_path=str(deeper))
    with pytest.raises(ModelError, match="its weights do not fit its base"):
        open_generator(str(tmp_path / "shallow"))
    adapt(tmp_path / "deep", deeper, CAUSAL)
    change(tmp_path / "deep", base_model_name_or_path=str(llama))
    with pytest.raises(ModelError, match=r"layers that its base does not have, such as model\.layers\.2"):
        open_generator(str(tmp_path / "deep"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"base_model_name_or_path": "/nowhere/base"}, "its base /nowhere/base is missing"),
        ({"base_model_name_or_path": None}, "names no base model"),
        ({"peft_type": "NEWER"}, "does not support its type 'NEWER'"),
    ],
)
def test_what_is_said_of_a_base_or_type_that_is_not_there(
    values: dict[str, Any], message: str, llama: Path, tmp_path: Path
) -> None:
    adapt(tmp_path / "adapter", llama, CAUSAL)
    change(tmp_path / "adapter", **values)
    with pytest.raises(ModelError, match=message):
        open_generator(str(tmp_path / "adapter"))


def test_adapter_of_an_adapter(llama: Path, tmp_path: Path) -> None:
    adapt(tmp_path / "first", llama, CAUSAL)
    adapt(tmp_path / "second", llama, CAUSAL)
    change(tmp_path / "second", base_model_name_or_path=str(tmp_path / "first"))
    with pytest.raises(ModelError, match="is an adapter too"):
        open_generator(str(tmp_path / "second"))


def test_adapter_that_diverged_or_is_not_there(llama: Path, tmp_path: Path) -> None:
    adapt(tmp_path / "adapter", llama, CAUSAL)
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    state = load_file(file)
    state[min(state)][0, 0] = float("nan")
    save_file(state, file)
    with pytest.raises(ModelError, match="contain nan or infinity"):
        open_generator(str(tmp_path / "adapter"))
    file.unlink()
    with pytest.raises(ModelError, match="the adapter's weights are missing"):
        open_generator(str(tmp_path / "adapter"))


@pytest.mark.parametrize("target", ["embed_tokens", "lm_head"])
def test_adapter_of_a_tied_table_is_not_merged(target: str, tmp_path: Path) -> None:
    """PEFT would change both tables where the adapter changes one: logits were others by 17."""
    base = write_checkpoint(tmp_path / "base", "llama", causal=True, tie_word_embeddings=True)
    adapt(tmp_path / "adapter", base, CAUSAL | {"target_modules": ["q_proj", target]})
    with pytest.raises(ModelError, match="whose weights are tied to the head"):
        export(tmp_path / "adapter", tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_what_is_saved_whole_is_named_once(tmp_path: Path) -> None:
    """PEFT adds the heads that it knows to those that are named."""
    base = write_checkpoint(tmp_path / "base", "distilbert")
    opened = open_checkpoint(str(base), "classification", ("a", "b", "c"))
    model = initialise_model(opened, pretrained=True, seed=0)
    config = {"peft_type": "LORA", "r": 4, "target_modules": ["q_lin"]}
    adapted = wrap_with_peft(model, config, 0, find_missing_keys(opened))
    save_adapter(adapted, opened, tmp_path / "adapter")
    written = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["modules_to_save"]
    assert sorted(written) == ["classifier", "pre_classifier", "score"]
    loaded = load_adapter(tmp_path / "adapter")
    torch.testing.assert_close(compute_logits(loaded), compute_logits(adapted.eval()), rtol=0, atol=1e-6)


def test_the_parameters_of_an_adapters_base_are_counted(tmp_path: Path) -> None:
    base = write_checkpoint(tmp_path / "base", "llama", causal=True)
    adapt(tmp_path / "adapter", base, CAUSAL)
    assert not (tmp_path / "adapter" / "config.json").exists()
    assert params(tmp_path / "adapter").total == params(base).total
