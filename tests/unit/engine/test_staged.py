"""Batches gathered on a device are those that are collated on the host, value for value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart.data.batches import collate, compute_padded_length
from headstart.data.tokenise import Tokens
from headstart.engine.staged import StagedExamples, choose_kept_span, find_label_spans
from tiny import PAD, make_tiny_tokens

CPU = torch.device("cpu")
COUNT = 30


def _tokens(*, types: bool = False, conversations: bool = False) -> Tokens:
    tokens, draws = make_tiny_tokens(COUNT), np.random.default_rng(5)
    total = len(tokens.input_ids)
    return replace(
        tokens,
        token_type_ids=draws.integers(0, 2, total).astype(np.int8) if types else None,
        loss_mask=draws.random(total) < 0.4 if conversations else None,
    )


@pytest.mark.parametrize("types", [False, True])
@pytest.mark.parametrize("conversations", [False, True])
@pytest.mark.parametrize("index", [[0], [COUNT - 1], [3, 3, 17, COUNT - 1, 0]])
def test_a_batch_is_the_collated_one(types: bool, conversations: bool, index: list[int]) -> None:
    tokens, labels = _tokens(types=types, conversations=conversations), np.arange(COUNT) % 3
    expected = collate(tokens, index, labels[index], PAD)
    staged = StagedExamples(tokens, labels, PAD, CPU)
    batch = staged.gather(torch.tensor(index), compute_padded_length(tokens, np.array(index)))
    assert np.array_equal(batch.inputs["input_ids"], expected.input_ids)
    assert np.array_equal(batch.inputs["attention_mask"], expected.attention_mask)
    assert ("token_type_ids" in batch.inputs) == types
    if expected.token_type_ids is not None:
        assert np.array_equal(batch.inputs["token_type_ids"], expected.token_type_ids)
    wanted = expected.labels if expected.token_labels is None else expected.token_labels
    assert np.array_equal(batch.labels, wanted)
    assert all(value.dtype == torch.int64 for value in batch.inputs.values())


def test_labels_may_be_rows_of_numbers() -> None:
    labels = np.random.default_rng(0).random((COUNT, 4)).astype(np.float32)
    batch = StagedExamples(_tokens(), labels, PAD, CPU).gather(torch.tensor([2, 5]), 20)
    assert np.array_equal(batch.labels, labels[[2, 5]])


def test_kept_logits_hold_every_label_and_their_number_is_one_of_four() -> None:
    tokens = _tokens(conversations=True)
    spans, kept_counts = find_label_spans(tokens), set()
    for size in (1, 2, 5):
        for start in range(0, COUNT - size, size):
            index = np.arange(start, start + size)
            width = compute_padded_length(tokens, index)
            first, kept = choose_kept_span(spans[index], width)
            labels = collate(tokens, index, index, PAD).token_labels
            assert labels is not None
            outside = np.delete(labels, np.s_[first : first + kept], axis=1)
            assert (outside < 0).all()
            assert 0 <= first <= first + kept <= width
            kept_counts.add((width, kept))
    assert all(kept in {min(width, -(-width // 4) * n) for n in (1, 2, 3, 4)} for width, kept in kept_counts)


def test_a_conversation_without_labels_has_an_empty_span() -> None:
    tokens = replace(make_tiny_tokens(2), loss_mask=np.zeros(len(make_tiny_tokens(2).input_ids), bool))
    assert find_label_spans(tokens).tolist() == [[0, 0], [0, 0]]
    first, kept = choose_kept_span(find_label_spans(tokens), 8)
    assert (first, kept) == (0, 2)
