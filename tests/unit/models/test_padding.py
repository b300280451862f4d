"""A text has one answer, whatever stands beside it and whatever padding token its checkpoint names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from headstart.data.tokenise import encode_texts
from headstart.engine.evaluate import iter_logits
from headstart.errors import ModelError
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.models.initialise import load_plain_model
from headstart.models.padding import READS_PADDING
from tiny_checkpoints import make_tokenizer, write_checkpoint

TEXTS = [
    "a bad film",
    "the story was good and the music lovely",
    "dull",
    "the actor felt cold and the ending was flat and dreary and dull",
    "a warm scene </s>",
]


def _set_config(folder: Path, **values: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | values), encoding="utf-8")


def _open(folder: Path) -> Checkpoint:
    return open_checkpoint(str(folder), "classification", ("bad", "good"))


def _compute_together(folder: Path) -> torch.Tensor:
    checkpoint = _open(folder)
    tokens = encode_texts(TEXTS, checkpoint.tokenizer, 40)
    windows = iter_logits(
        load_plain_model(checkpoint).double(),
        tokens,
        pad_id=checkpoint.tokenizer.pad_token_id,
        device=torch.device("cpu"),
        precision="fp64",
    )
    return torch.cat([logits for _, logits in windows])


def _compute_alone(folder: Path) -> torch.Tensor:
    """transformers' own model on each text by itself, without padding: the last token is read."""
    config = AutoConfig.from_pretrained(folder)
    # RoBERTa counts positions from it; no other family reads it in a single text.
    config.pad_token_id = 1 if config.model_type == "roberta" else None
    model = AutoModelForSequenceClassification.from_pretrained(folder, config=config, dtype=torch.float64)
    tokenizer = make_tokenizer()
    with torch.no_grad():
        rows = [model.eval()(**tokenizer([text], return_tensors="pt")).logits for text in TEXTS]
    return torch.cat(rows)


@pytest.mark.parametrize("padding", [None, -1, 0, 7, 4000])
@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
def test_a_text_has_the_same_logits_alone_and_beside_others(
    family: str, padding: int | None, tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path, family)
    _set_config(folder, pad_token_id=padding)
    torch.testing.assert_close(_compute_together(folder), _compute_alone(folder), rtol=0, atol=1e-9)


@pytest.mark.parametrize("settings", [{"pad": None}, {"padding_side": "left"}])
def test_tokenizers_without_padding_or_with_it_on_the_left_are_read_alike(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path, "llama", tokenizer=make_tokenizer(**settings))
    together = _compute_together(folder)[:4]  # the last text ends in what pads here, which heads pass over
    torch.testing.assert_close(together, _compute_alone(folder)[:4], rtol=0, atol=1e-9)
    assert _open(folder).tokenizer.padding_side == "right"


def test_configuration_has_the_padding_of_the_tokenizer(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "llama")
    _set_config(folder, pad_token_id=0)
    checkpoint = _open(folder)
    assert checkpoint.config.pad_token_id == checkpoint.tokenizer.pad_token_id == 1


def test_families_that_count_positions_from_their_padding_keep_it(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, "roberta", pad_token_id=1)
    make_tokenizer(pad="<mask>").save_pretrained(folder)
    assert _open(folder).config.pad_token_id == 1
    torch.testing.assert_close(_compute_together(folder), _compute_alone(folder), rtol=0, atol=1e-9)


def test_padding_token_without_a_row_is_refused(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(pad=None)
    rows = len(tokenizer)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    folder = write_checkpoint(tmp_path, "gpt2", tokenizer=tokenizer)
    message = rf"no row of its embedding of {rows} is for its padding token \[PAD\] \({rows}\)"
    with pytest.raises(ModelError, match=message):
        _open(folder)


def test_token_types_that_the_network_does_not_read_are_left_out(tmp_path: Path) -> None:
    names = ["input_ids", "token_type_ids", "attention_mask"]
    folder = write_checkpoint(tmp_path, "distilbert", tokenizer=make_tokenizer(model_input_names=names))
    assert _open(folder).tokenizer.model_input_names == ["input_ids", "attention_mask"]
    torch.testing.assert_close(_compute_together(folder), _compute_alone(folder), rtol=0, atol=1e-9)


_SHAPE = {"vocab_size": 60, "pad_token_id": 3, "num_labels": 3, "hidden_size": 32, "num_hidden_layers": 2}
_SHAPE |= {"num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 40}
_OTHER: dict[str, dict[str, Any]] = {
    "xlnet": {"vocab_size": 60, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48, "pad_token_id": 3},
    "mobilebert": {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16},
}


@pytest.mark.parametrize("family", [*sorted(READS_PADDING), "electra", "bert"])
def test_families_that_read_padding_are_those_whose_answers_change(family: str) -> None:
    shape = _OTHER[family] if family == "xlnet" else _SHAPE | _OTHER.get(family, {})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(family, **shape))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        ids = torch.randint(5, 60, (1, 6))
    padded = torch.nn.functional.pad(ids, (0, 5), value=3)
    model = model.double().eval()
    with torch.no_grad():
        alone = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        beside = model(input_ids=padded, attention_mask=(padded != 3).long()).logits
    assert bool((alone - beside).abs().max() > 1e-6) == (family in READS_PADDING)
