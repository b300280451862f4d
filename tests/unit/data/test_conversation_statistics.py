"""Statistics of conversations are those of the masks, of the very batches, and of the prompts' lengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from headstart.data.batches import (
    collate,
    collate_packed,
    compute_padded_length,
    draw_epoch_batches,
    pack_sequences,
)
from headstart.data.conversation_statistics import LossTokens, PromptLengths, count_loss, measure_padding
from headstart.data.tokenise import Tokens
from tiny import make_tiny_tokens


def _tokens() -> Tokens:
    plain = make_tiny_tokens(50)
    return replace(plain, loss_mask=np.arange(len(plain.input_ids)) % 3 == 0)


@pytest.mark.parametrize("packs", [False, True])
def test_padding_is_that_of_the_batches(packs: bool) -> None:
    tokens, index = _tokens(), np.arange(3, 50)
    places = filled = 0
    for batch in draw_epoch_batches(tokens.lengths[index], 8, 1, 1):
        texts, width = index[batch], compute_padded_length(tokens, index[batch])
        if packs:
            rows = pack_sequences(tokens.lengths, texts, width)
            made = collate_packed(tokens, rows, width, 0)
        else:
            made = collate(tokens, texts, np.zeros(len(texts)), 0)
        places, filled = places + made.input_ids.size, filled + int(made.attention_mask.sum())
    assert 0 < filled < places
    assert measure_padding(tokens, index, 8, 1, packs=packs) == pytest.approx(1 - filled / places, abs=1e-12)


def test_tokens_in_the_loss_and_answers_that_are_cut() -> None:
    """The first token of a text is never in the loss; of two texts that are cut one has nothing left."""
    mask = np.array([0, 1, 1, 1, 1, 1, 1, 0, 0], bool)
    tokens = Tokens(np.arange(9), np.array([0, 3, 7, 9]), None, truncated=2, loss_mask=mask)
    assert count_loss(tokens) == LossTokens(in_loss=2 + 3, tokens=9, cut_answers=1, without_answer=1)
    assert count_loss(tokens).share == pytest.approx(5 / 9)


def test_prompts_against_positions() -> None:
    lengths = {"valid": np.array([3, 9, 10, 12]), "test": np.array([2]), "samples": np.zeros(0, np.int64)}
    prompts = PromptLengths(lengths, positions=10, trained_positions=10, max_new_tokens=4)
    assert (prompts.longest, prompts.count_asked()) == (12, 5)
    assert prompts.count_without_room() == {"valid": 2}
    assert prompts.count_cut() == {"valid": 1}
    endless = replace(prompts, positions=None)
    assert (endless.count_cut(), endless.count_without_room()) == ({}, {})
