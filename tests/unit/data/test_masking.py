"""Masks are drawn as BERT and RoBERTa do, from the generator that is given alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

from headstart.data.batches import IGNORE_INDEX
from headstart.data.masking import count_most_masks, draw_masks

_SPECIAL = (0, 1, 2, 3, 49)
_MASK, _SIZE = 49, 50


def _make_tokens(rows: int = 200, length: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of ordinary tokens with `<s>` and `</s>` in them, and where words begin."""
    rng = np.random.default_rng(7)
    tokens = rng.integers(4, 49, (rows, length)).astype(np.uint16)
    tokens[:, ::16], tokens[:, 15::16] = 0, 2
    return tokens, (rng.random(tokens.shape) < 0.4) | (tokens < 4)


def _draw(seed: int = 1, share: float = 0.15, whole_words: bool = False) -> tuple[np.ndarray, np.ndarray]:
    tokens, starts = _make_tokens()
    return draw_masks(
        tokens,
        starts,
        mask_id=_MASK,
        special_ids=_SPECIAL,
        vocab_size=_SIZE,
        rng=np.random.default_rng(seed),
        share=share,
        whole_words=whole_words,
    )


def _is_likely(count: int, of: int, share: float) -> bool:
    """Whether a binomial count is within what one in a million exceeds."""
    return bool(scipy.stats.binomtest(count, of, share).pvalue > 1e-6)


@pytest.mark.parametrize("whole_words", [False, True])
def test_special_tokens_are_never_masked_and_labels_are_the_tokens(whole_words: bool) -> None:
    tokens, _ = _make_tokens()
    inputs, labels = _draw(whole_words=whole_words)
    chosen, special = labels != IGNORE_INDEX, np.isin(tokens, _SPECIAL)
    assert chosen.any()
    assert not (chosen & special).any()
    assert (labels[chosen] == tokens[chosen]).all()
    assert (inputs[~chosen] == tokens[~chosen]).all()
    assert not np.isin(inputs[chosen], _SPECIAL[:-1]).any()


def test_each_block_has_its_share_to_one_token() -> None:
    tokens, _ = _make_tokens()
    counts = (_draw()[1] != IGNORE_INDEX).sum(1)
    mean = 0.15 * (~np.isin(tokens, _SPECIAL)).sum(1)
    assert (np.abs(counts - mean) < 1).all()
    assert len(set(counts.tolist())) == 2  # rounded up in some blocks, down in others
    assert counts.max() <= count_most_masks(64, 0.15)
    above = counts > mean
    assert _is_likely(int(above.sum()), len(counts), float(mean[0] % 1))


def test_four_fifths_become_the_mask_and_the_rest_is_halved() -> None:
    inputs, labels = _draw(share=0.5)
    chosen = labels != IGNORE_INDEX
    masked = int((inputs[chosen] == _MASK).sum())
    total = int(chosen.sum())
    assert _is_likely(masked, total, 0.8)
    # One random token in 45 is the token itself.
    kept = int((inputs[chosen] == labels[chosen]).sum())
    assert _is_likely(kept, total, 0.1 + 0.1 / 45)
    drawn = inputs[chosen & (inputs != labels) & (inputs != _MASK)]
    assert set(drawn.tolist()) == set(range(4, 49))
    assert scipy.stats.chisquare(np.bincount(drawn, minlength=49)[4:]).pvalue > 1e-6


def test_shares_are_those_of_the_library(tiny_model: Path) -> None:
    """The library masks each token by itself, so its shares are ours within chance."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_model)
    special = tuple(tokenizer.all_special_ids)
    rng = np.random.default_rng(3)
    ordinary = [i for i in range(len(tokenizer)) if i not in special]
    tokens = rng.choice(ordinary, (100, 64))
    tokens[:, 0], tokens[:, -1] = tokenizer.cls_token_id, tokenizer.sep_token_id
    torch.manual_seed(0)
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    theirs = collate([{"input_ids": row} for row in tokens.tolist()])
    inputs, labels = draw_masks(
        tokens,
        np.ones_like(tokens, np.bool_),
        mask_id=tokenizer.mask_token_id,
        special_ids=special,
        vocab_size=len(tokenizer),
        rng=rng,
    )
    shares = []
    for read, label in ((inputs, labels), (theirs["input_ids"].numpy(), theirs["labels"].numpy())):
        chosen = label != IGNORE_INDEX
        assert not chosen[np.isin(tokens, special)].any()
        shares.append((int(chosen.sum()), int((read[chosen] == tokenizer.mask_token_id).sum())))
    (ours, our_masks), (others, their_masks) = shares
    assert _is_likely(others, 100 * 62, ours / (100 * 62))
    assert _is_likely(our_masks, ours, their_masks / others)


def test_words_are_masked_as_wholes() -> None:
    tokens, starts = _make_tokens()
    inputs, labels = _draw(whole_words=True, share=0.3)
    chosen, special = labels != IGNORE_INDEX, np.isin(tokens, _SPECIAL)
    begins = starts | special
    begins[:, 1:] |= special[:, :-1]
    begins[:, 0] = True
    same_word = ~begins[:, 1:]
    assert (chosen[:, 1:][same_word] == chosen[:, :-1][same_word]).all()
    counts, limit = chosen.sum(1), 0.3 * (~special).sum(1)
    assert (counts <= np.ceil(limit)).all()
    assert counts.mean() > 0.95 * limit.mean()
    # Replacements are drawn for each token by itself.
    assert _is_likely(int((inputs[chosen] == _MASK).sum()), int(chosen.sum()), 0.8)


def test_words_of_one_token_are_masked_as_often_as_tokens() -> None:
    tokens, _ = _make_tokens()
    every = np.ones(tokens.shape, np.bool_)
    args: dict[str, Any] = {"mask_id": _MASK, "special_ids": _SPECIAL, "vocab_size": _SIZE}
    one = draw_masks(tokens, every, rng=np.random.default_rng(5), whole_words=True, **args)
    other = draw_masks(tokens, every, rng=np.random.default_rng(5), **args)
    assert all((a == b).all() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("whole_words", [False, True])
def test_the_same_seed_gives_the_same_bits_and_another_others(whole_words: bool) -> None:
    first, again, other = (_draw(seed, whole_words=whole_words) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[1] != other[1]).any()


def test_blocks_without_ordinary_tokens_stay_as_they_are() -> None:
    tokens = np.full((2, 8), 2, np.uint16)
    for whole_words in (False, True):
        inputs, labels = draw_masks(
            tokens,
            tokens == 2,
            mask_id=_MASK,
            special_ids=_SPECIAL,
            vocab_size=_SIZE,
            rng=np.random.default_rng(0),
            whole_words=whole_words,
        )
        assert (inputs == tokens).all()
        assert (labels == IGNORE_INDEX).all()
