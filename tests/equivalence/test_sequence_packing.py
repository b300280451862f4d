"""Packed sequences do not attend to each other: losses and steps are as apart; other families are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from equivalence.test_language_models import ROUNDED, _model, _setting, _tokens
from headstart.data.batches import IGNORE_INDEX, collate_packed, pack_sequences
from headstart.data.tokenise import Tokens
from headstart.engine.families import patch_position_ids
from headstart.engine.join_weights import join_weights
from headstart.engine.losses import compute_token_losses
from headstart.engine.member import Member, PackContext, TokenisedExamples
from headstart.engine.sequence_packing import check_sequence_isolation
from headstart.engine.step import build_inputs
from headstart.engine.train import train
from headstart.errors import ModelError
from tiny import EventRecorder, make_tiny_run, max_difference

FAMILIES = ("llama", "gpt2", "bloom")
_CPU = torch.device("cpu")


def test_rows_hold_every_text_once_and_no_more_than_fits() -> None:
    tokens = _tokens(12)
    rows = pack_sequences(tokens.lengths, np.arange(12), 20)
    assert sorted(np.concatenate(rows).tolist()) == list(range(12))
    assert all(tokens.lengths[row].sum() <= 20 for row in rows)
    assert len(rows) < 12
    batch = collate_packed(tokens, rows, 20, 1)
    assert batch.token_labels is not None
    assert batch.position_ids is not None
    for row, texts in enumerate(rows):
        ends = np.cumsum(tokens.lengths[texts])
        assert (batch.position_ids[row, [0, *ends[:-1]]] == 0).all()
        assert (
            batch.token_labels[row, ends - 1] == IGNORE_INDEX
        ).all()  # nobody says the next text's first word


def _losses(model: Any, tokens: Tokens) -> torch.Tensor:
    """Of two texts in one row, the sums of their token losses, [2]."""
    batch = collate_packed(tokens, [np.array([0, 1])], int(tokens.lengths.sum()) + 2, 1)
    assert batch.token_labels is not None
    with torch.no_grad():
        logits = model(**build_inputs(batch, _CPU), use_cache=False).logits
    losses = compute_token_losses(logits, torch.from_numpy(batch.token_labels))[0]
    border = int(tokens.lengths[0])
    return torch.stack([losses[:border].sum(), losses[border:].sum()])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("changed", [0, 1])
def test_changing_one_leaves_the_other_alone(family: str, changed: int) -> None:
    model, tokens = _model(family).eval(), _tokens(2)
    patch_position_ids(model)
    ids = tokens.input_ids.copy()
    span = slice(tokens.starts[changed], tokens.starts[changed + 1])
    ids[span] = 4 + (ids[span] + 7) % 40
    before, after = _losses(model, tokens), _losses(model, replace(tokens, input_ids=ids))
    assert max_difference(before[1 - changed], after[1 - changed]) < ROUNDED[family]
    assert max_difference(before[changed], after[changed]) > 1e-3


def _trained(family: str, seeds: list[int], context: PackContext) -> list[Member]:
    members = [
        Member(make_tiny_run(seed, steps=10, batch_size=5), np.arange(40 - 7 * seed)) for seed in seeds
    ]
    weights = join_weights((_model(family, seed) for seed in seeds), len(seeds))
    if context.packs_sequences:
        patch_position_ids(weights.module)
    train(members, weights, context, EventRecorder())
    return members


@pytest.mark.parametrize("family", FAMILIES)
def test_steps_are_those_of_texts_apart(family: str) -> None:
    """Alone and in a pack, without dropout, whose masks have the rows' shape."""
    apart, shared = _setting(), replace(_setting(), packs_sequences=True)
    pack = _trained(family, [0, 1], shared)
    for seed in (0, 1):
        (alone,), (mine,) = (_trained(family, [seed], context) for context in (apart, shared))
        assert mine.losses == pytest.approx(alone.losses, abs=ROUNDED[family])
        assert max_difference(mine.weights, alone.weights) < ROUNDED[family]
        assert pack[seed].losses == pytest.approx(alone.losses, abs=ROUNDED[family])
        assert max_difference(pack[seed].weights, alone.weights) < ROUNDED[family]


def test_rows_are_fewer() -> None:
    seen: list[int] = []
    model = _model("llama")
    model.register_forward_pre_hook(lambda _m, _a, k: seen.append(len(k["input_ids"])), with_kwargs=True)
    context = replace(_setting(), packs_sequences=True, curves=())
    short = TokenisedExamples(_tokens(40), np.zeros(40, np.int64))
    member = Member(make_tiny_run(0, steps=4, batch_size=10), np.arange(40))
    parts: Any = {**context.parts, "train": short}
    train([member], join_weights(iter([model]), 1), replace(context, parts=parts), EventRecorder())
    assert sum(seen[:4]) < 4 * 10


@pytest.mark.parametrize("family", FAMILIES)
def test_families_that_can(family: str) -> None:
    check_sequence_isolation(_model(family), 1)


def test_families_that_cannot_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A BLOOM that nobody taught reads no positions."""
    monkeypatch.setattr("headstart.engine.sequence_packing.patch_position_ids", lambda _: None)
    with pytest.raises(ModelError, match="would attend to each other"):
        check_sequence_isolation(_model("bloom"), 1)
