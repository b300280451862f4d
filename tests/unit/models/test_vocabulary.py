"""Vocabulary compaction: the same model as full training gives, and left alone where it could not be."""

from __future__ import annotations

import gc
import math
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
)

from headstart.data.tokenise import Tokens
from headstart.errors import ModelError
from headstart.models import vocabulary
from headstart.models.accounting.counts import count_parameters
from headstart.models.vocabulary import (
    CompactEmbedding,
    compact_embedding,
    compute_decay_factor,
    find_used_ids,
    restore_embedding,
)

VOCABULARY, PAD = 50, 1
USED = np.array([PAD, 4, 7, 11, 12, 20, 33, 48])
UNUSED = np.setdiff1d(np.arange(VOCABULARY), USED)
RATES = [1e-2 * (step + 1) / 5 if step < 5 else 1e-2 * (20 - step) / 15 for step in range(20)]
DECAY = 0.1
_SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
_SMALL = {"vocab_size": VOCABULARY, "max_position_embeddings": 40, "pad_token_id": PAD, "num_labels": 3}
FAMILIES: dict[str, dict[str, int]] = {
    "albert": {**_SHAPE, "embedding_size": 16},
    "bert": _SHAPE,
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 2},
    "deberta-v2": _SHAPE,
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48},
    "electra": {**_SHAPE, "embedding_size": 16},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2},
    "llama": _SHAPE,
    "modernbert": _SHAPE,
    "mpnet": _SHAPE,
    "roberta": _SHAPE,
}
every_family = pytest.mark.parametrize("family", FAMILIES)


def _model(family: str) -> Any:
    """A random classifier of one family, float64; in evaluation mode, so without dropout."""
    config = AutoConfig.for_model(family, **_SMALL, **FAMILIES[family])
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(config).double().eval()


def _inputs(seed: int) -> dict[str, torch.Tensor]:
    """Four texts of 3 to 9 tokens in use, padded on the right.

    Without a mask where `seed` is odd: then padding is attended to, and only `padding_idx` keeps its row
    from learning.
    """
    draws = np.random.default_rng(seed)
    mask = np.arange(9) < draws.integers(3, 10, (4, 1))
    ids = torch.from_numpy(np.where(mask, draws.choice(USED[1:], mask.shape), PAD))
    masked = {"attention_mask": torch.from_numpy(mask.astype(np.int64))}
    return {"input_ids": ids} | ({} if seed % 2 else masked)


def _train(model: Any) -> list[float]:
    """A step at each of RATES, clipped at 0.5; gives the gradient's norms before clipping."""
    optimiser, norms = torch.optim.AdamW(model.parameters(), weight_decay=DECAY), []
    for step, rate in enumerate(RATES):
        labels = torch.from_numpy(np.random.default_rng(step).integers(0, 3, 4))
        loss = nn.functional.cross_entropy(model(**_inputs(step)).logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), 0.5)))
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
        optimiser.zero_grad()
    return norms


def _compacted(family: str) -> Any:
    model = _model(family)
    assert compact_embedding(model, USED) is None
    return model


@every_family
def test_logits_are_the_same_bits(family: str) -> None:
    inputs, full = _inputs(0), _model(family)
    assert torch.equal(_compacted(family)(**inputs).logits, full(**inputs).logits)


@every_family
def test_trained_and_restored_it_is_the_fully_trained_model(family: str) -> None:
    full, model = _model(family), _compacted(family)
    norms = _train(full)
    assert max(norms) > 0.5  # clipping took part
    assert np.allclose(_train(model), norms, rtol=1e-9)
    restore_embedding(model, _model(family).get_input_embeddings(), compute_decay_factor(RATES, DECAY))
    expected, actual = full.state_dict(), model.state_dict()
    assert list(actual) == list(expected)
    for name in expected:
        assert torch.allclose(actual[name], expected[name], rtol=0, atol=1e-9), name


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_the_rows_left_out_need_their_decay(family: str) -> None:
    """Without it they would be off by far more than the test above allows; the rows in use would not."""
    full, model = _model(family), _compacted(family)
    _train(full)
    _train(model)
    restore_embedding(model, _model(family).get_input_embeddings(), 1.0)
    gap = (model.get_input_embeddings().weight - full.get_input_embeddings().weight).abs().amax(1)
    assert gap[UNUSED].min() > 1e-5
    assert gap[USED].max() < 1e-9


def test_decay_is_the_product_over_steps() -> None:
    assert compute_decay_factor([0.5, 0.0, 0.1], 0.2) == pytest.approx(0.9 * 1.0 * 0.98, rel=1e-15)
    assert compute_decay_factor(RATES, 0.0) == 1.0
    assert compute_decay_factor([], 0.1) == 1.0
    assert compute_decay_factor(iter([1e-5] * 10_000), 0.01) == pytest.approx(math.exp(-1e-3), rel=1e-9)


@pytest.mark.parametrize(
    "model",
    [
        BertForMaskedLM(BertConfig(**_SMALL, **_SHAPE)),
        GPT2LMHeadModel(GPT2Config(**_SMALL, **FAMILIES["gpt2"])),
    ],
    ids=["bert", "gpt2"],
)
def test_a_tied_table_is_left_alone(model: Any) -> None:
    table = model.get_input_embeddings()
    reason = compact_embedding(model, USED)
    assert reason is not None
    assert "its input embedding is tied" in reason
    assert model.get_input_embeddings() is table
    assert model.get_output_embeddings().weight is table.weight


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (nn.Embedding(VOCABULARY, 32, max_norm=1.0), "max_norm"),
        (nn.Embedding(VOCABULARY, 32, sparse=True), "sparse"),
        (nn.Embedding(VOCABULARY, 32, scale_grad_by_freq=True), "scaled by frequency"),
        (type("Scaled", (nn.Embedding,), {})(VOCABULARY, 32), "a Scaled, not a plain table"),
        (None, "a NoneType, not a plain table"),
    ],
    ids=["max_norm", "sparse", "scaled", "subclass", "none"],
)
def test_any_other_table_is_left_alone(table: nn.Embedding | None, reason: str) -> None:
    model = _model("bert")
    model.set_input_embeddings(table)
    assert reason in (compact_embedding(model, USED) or "")
    assert model.get_input_embeddings() is table


def test_a_table_in_full_use_is_left_alone() -> None:
    model = _model("bert")
    table = model.get_input_embeddings()
    assert compact_embedding(model, np.arange(VOCABULARY)) == "every row of its embedding is in use"
    assert model.get_input_embeddings() is table


def test_a_compacted_model_is_not_compacted_again() -> None:
    assert "CompactEmbedding" in (compact_embedding(_compacted("bert"), USED) or "")


def test_an_id_outside_the_study_is_an_error() -> None:
    model = _compacted("bert")
    for wrong in (UNUSED[0], VOCABULARY):
        with pytest.raises(IndexError):
            model(input_ids=torch.tensor([[4, int(wrong)]]))


@pytest.mark.parametrize("wrong", [-1, VOCABULARY])
def test_ids_that_the_table_never_had_are_refused(wrong: int) -> None:
    with pytest.raises(ModelError, match=r"(?s)token ids from .*expected: ids from 0 to 49"):
        compact_embedding(_model("bert"), np.array([4, wrong]))


def test_the_padding_row_is_kept_without_being_asked_for() -> None:
    model, full = _model("roberta"), _model("roberta")
    assert compact_embedding(model, USED[1:]) is None
    embedding = model.get_input_embeddings()
    assert isinstance(embedding, CompactEmbedding)
    assert embedding.list_ids().tolist() == USED.tolist()
    assert embedding.padding_idx == 0
    assert torch.equal(model(**_inputs(0)).logits, full(**_inputs(0)).logits)


def test_only_the_rows_in_use_are_kept_in_memory() -> None:
    model = _model("bert")
    n_parameters = count_parameters(model).total
    table = weakref.ref(model.get_input_embeddings().weight)
    assert compact_embedding(model, USED) is None
    assert (
        count_parameters(model).total == count_parameters(model).trainable == n_parameters - len(UNUSED) * 32
    )
    gc.collect()
    assert table() is None
    assert model.get_input_embeddings().weight.untyped_storage().nbytes() == len(USED) * 32 * 8


def test_best_weights_travel_through_the_state_dict() -> None:
    """As the engine keeps its best epoch; the key is the ordinary model's, the lookup no part of it."""
    model, other = _compacted("bert"), _compacted("bert")
    assert list(model.state_dict()) == list(_model("bert").state_dict())
    _train(model)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(**_inputs(0)).logits, model(**_inputs(0)).logits)


def test_a_frozen_table_stays_frozen_and_keeps_its_precision() -> None:
    model, full = _model("bert").bfloat16(), _model("bert")
    model.get_input_embeddings().weight.requires_grad_(False)
    expected = full.get_input_embeddings().weight.detach().bfloat16()
    assert compact_embedding(model, USED) is None
    assert not model.get_input_embeddings().weight.requires_grad
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16
    restore_embedding(model, full.get_input_embeddings(), 1.0)
    assert not model.get_input_embeddings().weight.requires_grad
    assert torch.equal(model.get_input_embeddings().weight, expected)


def test_a_restored_model_is_saved_and_loaded_as_any_other(tmp_path: Path) -> None:
    model = _compacted("roberta")
    restore_embedding(model, _model("roberta").get_input_embeddings(), 0.9)
    assert type(model.get_input_embeddings()) is nn.Embedding
    model.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path, dtype=torch.float64).eval()
    assert loaded.get_input_embeddings().weight.shape == (VOCABULARY, 32)
    inputs = {"input_ids": torch.from_numpy(UNUSED[None, 5:12])}
    torch.testing.assert_close(loaded(**inputs).logits, model(**inputs).logits, rtol=0, atol=1e-6)


def _tokens(ids: np.ndarray) -> Tokens:
    """One text."""
    return Tokens(ids, np.array([0, len(ids)]), None, 0)


def test_ids_in_use_are_those_of_every_part_and_the_extra_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "_CHUNK", 7)
    draws = np.random.default_rng(0)
    parts = [_tokens(draws.integers(4, 40, length)) for length in (20, 7, 1)]
    used_ids = find_used_ids(parts, PAD, 49)
    assert used_ids.dtype == np.int64
    assert used_ids.tolist() == sorted({PAD, 49, *(int(i) for part in parts for i in part.input_ids)})
    assert find_used_ids([]).tolist() == []


def test_ids_are_counted_over_memory_mapped_tokens(tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.array([9, 4, 4, 30_000], np.int32))
    ids = np.load(tmp_path / "ids.npy", mmap_mode="r")
    assert find_used_ids([_tokens(ids)], 0).tolist() == [0, 4, 9, 30_000]
