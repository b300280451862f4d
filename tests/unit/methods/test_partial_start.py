"""Partial starts: which weights are the checkpoint's, and that all others are what a random arm draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headstart.config.partial_start import PartialStart
from headstart.errors import ModelError
from headstart.methods.partial_start import place_vectors, take_parts
from headstart.methods.start_parts import list_kept_names
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.models.initialise import find_missing_keys, initialise_model
from tiny import make_tiny_model
from tiny_checkpoints import write_checkpoint

#: By family: how names of embeddings begin, of layers, and of what an encoder has for all its layers.
PARTS: dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "bert": (("bert.embeddings.",), "bert.encoder.layer.", ()),
    "roberta": (("roberta.embeddings.",), "roberta.encoder.layer.", ()),
    "distilbert": (("distilbert.embeddings.",), "distilbert.transformer.layer.", ()),
    "electra": (("electra.embeddings",), "electra.encoder.layer.", ()),
    "deberta-v2": (
        ("deberta.embeddings.",),
        "deberta.encoder.layer.",
        ("deberta.encoder.rel_embeddings.", "deberta.encoder.LayerNorm."),
    ),
    "mpnet": (("mpnet.embeddings.",), "mpnet.encoder.layer.", ("mpnet.encoder.relative_attention_bias.",)),
    "modernbert": (("model.embeddings.",), "model.layers.", ()),
    "gpt2": (("transformer.wte.", "transformer.wpe."), "transformer.h.", ()),
    "bloom": (("transformer.word_embeddings",), "transformer.h.", ()),
    "llama": (("model.embed_tokens.",), "model.layers.", ()),
    "opt": (("model.decoder.embed_",), "model.decoder.layers.", ()),
}
ALBERT = (("albert.embeddings.",), "albert.encoder.", ("albert.encoder.",))


def _keep(*parts: str) -> PartialStart:
    return PartialStart(keep=parts)


def _open(folder: Path, family: str, **settings: Any) -> Checkpoint:
    task = "instruction" if settings.get("causal") else "classification"
    return open_checkpoint(str(write_checkpoint(folder, family, **settings)), task, ("bad", "good"))


def _start(checkpoint: Checkpoint, start: PartialStart, seed: int = 3) -> dict[str, torch.Tensor]:
    return dict(take_parts(checkpoint, start, seed, find_missing_keys(checkpoint)).named_parameters())


def _whole(checkpoint: Checkpoint, *, pretrained: bool, seed: int = 3) -> dict[str, torch.Tensor]:
    return dict(initialise_model(checkpoint, pretrained=pretrained, seed=seed).named_parameters())


@pytest.mark.parametrize("family", [*PARTS, "albert"])
def test_parts_are_those_of_the_architecture(family: str) -> None:
    embeddings, layers, beside = PARTS.get(family, ALBERT)
    model = make_tiny_model(family)
    names = set(dict(model.named_parameters()))
    assert list_kept_names(model, _keep("embeddings")) == {n for n in names if n.startswith(embeddings)}
    assert list_kept_names(model, _keep("layers")) == {n for n in names if n.startswith((layers, *beside))}
    if family != "albert":
        first = {n for n in names if n.startswith((f"{layers}0.", *beside))}
        assert first < list_kept_names(model, _keep("layers"))
        assert list_kept_names(model, _keep("1 layer")) == first
    norms = list_kept_names(model, _keep("norms"))
    assert norms
    assert all("norm" in name.lower() or "ln_" in name for name in norms)
    body = {name for name in names if name.startswith(f"{model.base_model_prefix}.")}
    assert norms == {name for name in body if "norm" in name.lower() or "ln_" in name}


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("bert", {}),
        ("deberta-v2", {}),
        ("albert", {}),
        ("gpt2", {}),
        ("bloom", {"causal": True}),
        ("llama", {"causal": True, "tie_word_embeddings": False}),
    ],
)
@pytest.mark.parametrize("parts", [("embeddings",), ("layers",), ("norms",), ("embeddings", "layers")])
def test_each_weight_is_the_checkpoints_or_the_random_arms(
    tmp_path: Path, family: str, settings: dict[str, Any], parts: tuple[str, ...]
) -> None:
    checkpoint = _open(tmp_path, family, **settings)
    kept = list_kept_names(checkpoint.build_skeleton(), _keep(*parts))
    found = _start(checkpoint, _keep(*parts))
    pretrained, random = (_whole(checkpoint, pretrained=whole) for whole in (True, False))
    assert found.keys() == random.keys()
    for name, value in found.items():
        assert torch.equal(value, (pretrained if name in kept else random)[name]), name
    if "embeddings" in parts:
        table = next(name for name in found if name in kept and torch.any(pretrained[name] != random[name]))
        assert not torch.equal(found[table], random[table])


def test_tied_embeddings_stay_tied(tmp_path: Path) -> None:
    checkpoint = _open(tmp_path, "bloom", causal=True)
    model: Any = take_parts(checkpoint, _keep("embeddings"), 0, ())
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    whole: Any = initialise_model(checkpoint, pretrained=True, seed=0)
    assert torch.equal(model.lm_head.weight, whole.lm_head.weight)


def test_shuffled_matrices_have_their_entries_in_another_order(tmp_path: Path) -> None:
    checkpoint = _open(tmp_path, "bert")
    shuffled, again, other = (_start(checkpoint, PartialStart(shuffle="matrices"), s) for s in (3, 3, 4))
    pretrained, random = (_whole(checkpoint, pretrained=whole) for whole in (True, False))
    missing = find_missing_keys(checkpoint)
    assert missing
    for name, value in shuffled.items():
        assert torch.equal(value, again[name])
        if name in missing:
            assert torch.equal(value, random[name]), name
        elif value.dim() < 2:
            assert torch.equal(value, pretrained[name]), name
        else:
            assert not torch.equal(value, pretrained[name]), name
            assert not torch.equal(value, other[name]), name
            assert torch.equal(value.flatten().sort().values, pretrained[name].flatten().sort().values), name


def test_vectors_have_the_spread_of_what_was_drawn(tmp_path: Path) -> None:
    checkpoint = _open(tmp_path, "bert")
    model, random = (initialise_model(checkpoint, pretrained=False, seed=1) for _ in range(2))
    ids = np.array([6, 9, 11])
    vectors = np.random.default_rng(0).normal(size=(3, 20)).astype(np.float32)
    place_vectors(model, ids, vectors)
    table, before = (next(m.parameters()).detach().numpy() for m in (model, random))
    changed = np.zeros(table.shape, bool)
    changed[ids, :20] = True
    assert np.array_equal(table[~changed], before[~changed])
    assert table[ids, :20].std() == pytest.approx(before[ids, :20].std(), rel=1e-5)
    ratio = table[ids, :20] / vectors
    assert ratio == pytest.approx(ratio[0, 0], rel=1e-4)
    rest = zip(list(model.parameters())[1:], list(random.parameters())[1:], strict=True)
    assert all(torch.equal(mine, theirs) for mine, theirs in rest)


@pytest.mark.parametrize(
    ("family", "part", "words"),
    [
        ("bert", "3 layers", "it has 2 layers, not 3"),
        ("albert", "1 layer", "its 2 layers share their weights"),
        ("bart", "layers", "the layers of a bart cannot be told apart: it has 2 lists of layers"),
        ("t5", "embeddings", "the layers of a t5 cannot be told apart"),
    ],
)
def test_parts_that_cannot_be_told_are_refused(family: str, part: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        list_kept_names(make_tiny_model(family), _keep(part))
