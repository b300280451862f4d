"""Draws which tokens of blocks are masked, and by what, as BERT and RoBERTa do; knows no model."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import lru_cache
from typing import Final

import numpy as np

from headstart.data.batches import IGNORE_INDEX

#: Of the places that are masked, the shares that become the mask, a random token, and stay: BERT's.
REPLACE: Final = (0.8, 0.1, 0.1)
_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64(0xFFFFFFFF)


def draw_masks(
    tokens: np.ndarray,
    word_starts: np.ndarray,
    *,
    mask_id: int,
    special_ids: Collection[int],
    vocab_size: int,
    rng: np.random.Generator,
    share: float = 0.15,
    replace: tuple[float, float, float] = REPLACE,
    whole_words: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens with masks, and the labels; all that is drawn comes from `rng`.

    Of a block's n tokens that are not special, k = floor(share * n + u) are masked, u uniform in [0, 1), as
    fairseq's `MaskTokensDataset` has it: share * n on average. Which ones is drawn without replacement. With
    `whole_words` words are drawn, and taken while no more than k tokens are masked; one that would be too
    long is passed over (BERT's `create_masked_lm_predictions`).

    Args:
        tokens: [B, T].
        word_starts: [B, T], bool: whether a token begins a word; used with `whole_words` alone.
        mask_id: of the mask token.
        special_ids: never masked, and never drawn as random tokens: `<s>`, `</s>`, padding, the mask.
        vocab_size: V; random tokens are drawn from the ids below it that are not special.
        share: of the tokens that are not special, how many are masked.
        replace: of those, the shares that become the mask, a random token, and stay.
        whole_words: mask all tokens of a word, or none.

    Returns:
        inputs: [B, T], int64; labels: [B, T], int64, the token where one was chosen, elsewhere IGNORE_INDEX.
    """
    rows, length = tokens.shape
    bits = rng.integers(0, 1 << 64, (rows, length), np.uint64)
    is_plain = ~np.isin(tokens, sorted(special_ids))
    limits = np.floor(share * is_plain.sum(1) + rng.random(rows)).astype(np.int64)
    keys = np.where(is_plain, _to_unit(bits >> _HALF), np.inf)
    if whole_words:
        chosen = _choose_words(keys, limits, word_starts, is_plain)
    else:
        chosen = _choose_tokens(keys, limits, is_plain)
    inputs = tokens.astype(np.int64)
    labels = np.where(chosen, inputs, IGNORE_INDEX)
    ordinary = _list_ordinary(vocab_size, frozenset(special_ids))
    inputs[chosen] = _replace(inputs[chosen], _to_unit(bits[chosen] & _LOW), mask_id, ordinary, replace)
    return inputs, labels


@lru_cache(maxsize=4)
def _list_ordinary(vocab_size: int, special_ids: frozenset[int]) -> np.ndarray:
    """The ids that a random token may have: finding them takes as long as all else of a draw."""
    return np.setdiff1d(np.arange(vocab_size), sorted(special_ids))


def count_most_masks(length: int, share: float) -> int:
    """The largest number of places that can be masked in a block of so many tokens."""
    return math.ceil(share * length)


def _to_unit(words: np.ndarray) -> np.ndarray:
    """32-bit numbers as fractions in [0, 1)."""
    return words / 2.0**32


def _choose_tokens(keys: np.ndarray, limits: np.ndarray, is_plain: np.ndarray) -> np.ndarray:
    """The tokens with the smallest keys of each row, [B, T]."""
    if not keys.size:
        return np.zeros(keys.shape, np.bool_)
    last = np.sort(keys, 1)[np.arange(len(keys)), np.maximum(limits, 1) - 1]
    chosen: np.ndarray = (keys <= np.where(limits > 0, last, -1.0)[:, None]) & is_plain
    return chosen


def _choose_words(
    keys: np.ndarray, limits: np.ndarray, word_starts: np.ndarray, is_plain: np.ndarray
) -> np.ndarray:
    """The tokens of the words with the smallest keys of each row that fit its limit, [B, T].

    A block's first token begins a word, and so do special tokens and those behind them.
    """
    rows, length = keys.shape
    starts = word_starts | ~is_plain
    starts[:, 1:] |= ~is_plain[:, :-1]
    starts[:, :1] = True
    words = np.cumsum(starts, 1) - 1
    flat = words + np.arange(rows)[:, None] * length
    lengths = np.bincount(flat.ravel(), minlength=rows * length).reshape(rows, length)
    word_keys = np.full(rows * length, np.inf)
    word_keys[flat[starts]] = keys[starts]
    word_keys = word_keys.reshape(rows, length)
    order = np.argsort(word_keys, 1, kind="stable")
    fits = _fill_up(np.take_along_axis(lengths, order, 1), np.isfinite(word_keys).sum(1), limits)
    taken = np.zeros((rows, length), np.bool_)
    np.put_along_axis(taken, order, fits, 1)
    chosen: np.ndarray = np.take_along_axis(taken, words, 1) & is_plain
    return chosen


def _fill_up(lengths: np.ndarray, counts: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Which of each row's words, in their order, are taken while their lengths sum up to its limit at most.

    Args:
        lengths: [B, W]; of row i the first `counts[i]` are words.
    """
    taken, sums = np.zeros(lengths.shape, np.bool_), np.zeros(len(lengths), np.int64)
    for i in range(int(counts.max(initial=0))):
        fits = (sums + lengths[:, i] <= limits) & (i < counts)
        taken[:, i] = fits
        sums += lengths[:, i] * fits
        if (sums >= limits).all():
            break
    return taken


def _replace(
    tokens: np.ndarray,
    places: np.ndarray,
    mask_id: int,
    ordinary: np.ndarray,
    replace: tuple[float, float, float],
) -> np.ndarray:
    """What stands in place of chosen tokens [n], by a fraction in [0, 1) for each."""
    as_mask, as_random, _ = replace
    # Within the share of random tokens, where a fraction lies is uniform too.
    inside = np.clip((places - as_mask) / max(as_random, 2.0**-32), 0.0, 1.0 - 2.0**-32)
    drawn = ordinary[(inside * len(ordinary)).astype(np.int64)]
    kinds = [places < as_mask, places < as_mask + as_random]
    return np.select(kinds, [np.full_like(tokens, mask_id), drawn], tokens)
