"""The batches of each step, as functions of seed and step: which blocks, and what of them is predicted.

They are drawn ahead by a thread. Shapes: N blocks of T tokens, B blocks of one pass, K places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from headstart.config.pretraining import PretrainingSettings
from headstart.data.masking import count_most_masks, draw_masks
from headstart.data.token_blocks import TokenBlocks
from headstart.pretraining.language_model import IGNORED
from headstart.seeds import make_generator

#: Places of a pass on a CPU are filled up to a multiple of this many, so that tensors have few sizes.
_PLACES_MULTIPLE: Final = 16
#: Steps that are drawn before they are asked for.
_AHEAD: Final = 3


@dataclass(frozen=True)
class BlockBatch:
    """One pass: input ids int64 [B, T]; labels int64 [K] at `places` int64 [K], or [B*T] where places are
    None; `mask` [B, T] where something is padded."""

    input_ids: np.ndarray
    labels: np.ndarray
    places: np.ndarray | None = None
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class StepBatch:
    """The passes of one step, the `targets` that are predicted in all of them, and the `tokens` read."""

    passes: tuple[BlockBatch, ...]
    targets: int
    tokens: int


@dataclass(frozen=True)
class BlockReader:
    """Draws the batches of training and of validation from blocks.

    `static` has each pass come in one shape, filled with what is not predicted.
    """

    settings: PretrainingSettings
    tokenizer: Any
    vocab_size: int
    static: bool = False

    def draw_step(self, blocks: TokenBlocks, step: int, total_blocks: int) -> StepBatch:
        """The batch of step `step` (0-based): blocks in the order of the seed, epoch after epoch."""
        size = self.settings.training.step_blocks
        wanted = np.arange(step * size, min((step + 1) * size, total_blocks))
        rows = select_blocks(len(blocks), self.settings.seed, wanted)
        return self._draw(blocks, rows, ("step", step))

    def iterate_valid(self, blocks: TokenBlocks) -> Iterator[StepBatch]:
        """All blocks once, with masks that are the same at each validation."""
        size = self.settings.training.batch_size
        for start in range(0, len(blocks), size):
            yield self._draw(blocks, np.arange(start, min(start + size, len(blocks))), ("valid", start))

    def _draw(self, blocks: TokenBlocks, rows: np.ndarray, key: tuple[str, int]) -> StepBatch:
        tokens = np.asarray(blocks.tokens[rows]).astype(np.int64)
        if self.settings.task == "causal-lm":
            inputs, labels = tokens, _shift(tokens, self.tokenizer.pad_token_id)
        else:
            masking, rng = self.settings.masking, make_generator(self.settings.seed, "masks", *key)
            inputs, labels = draw_masks(
                tokens,
                np.asarray(blocks.word_starts[rows]),
                share=masking.share,
                replace=masking.replace,
                whole_words=masking.whole_words,
                special_ids=self.special_ids,
                mask_id=self.tokenizer.mask_token_id,
                vocab_size=self.vocab_size,
                rng=rng,
            )
        passes = tuple(self._cut_passes(inputs, labels, tokens))
        return StepBatch(passes, int((labels >= 0).sum()), tokens.size)

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Ids that are never predicted."""
        return tuple(self.tokenizer.all_special_ids)

    def _cut_passes(self, inputs: np.ndarray, labels: np.ndarray, tokens: np.ndarray) -> Iterator[BlockBatch]:
        size = self.settings.training.batch_size
        for start in range(0, len(inputs), size):
            rows = slice(start, start + size)
            yield self._make_pass(inputs[rows], labels[rows], tokens[rows])

    def _make_pass(self, inputs: np.ndarray, labels: np.ndarray, tokens: np.ndarray) -> BlockBatch:
        short = self.settings.training.batch_size - len(inputs)
        if self.static and short:
            inputs = np.resize(inputs, (len(inputs) + short, inputs.shape[1]))
            labels = np.pad(labels, ((0, short), (0, 0)), constant_values=IGNORED)
        pad, flat = self.tokenizer.pad_token_id, np.ascontiguousarray(labels).reshape(-1).astype(np.int64)
        mask = None
        if pad is not None and not self.static and (tokens == pad).any():
            mask = (tokens != pad).astype(np.int64)
        if self.settings.task == "causal-lm":
            return BlockBatch(inputs, flat, None, mask)
        places = np.flatnonzero(flat >= 0)
        count = self._count_places(len(places), inputs.shape)
        chosen = np.full(count, IGNORED, np.int64)
        chosen[: len(places)] = flat[places]
        return BlockBatch(inputs, chosen, np.pad(places, (0, count - len(places))), mask)

    def _count_places(self, found: int, shape: tuple[int, int]) -> int:
        """Places that a pass with `found` masked ones computes, those that fill it up included.

        On a device all that can be masked: the draw has a limit for each block, so that shapes stay.
        """
        if not self.static:
            return max(1, math.ceil(found / _PLACES_MULTIPLE)) * _PLACES_MULTIPLE
        share, (rows, block) = self.settings.masking.share, shape
        return rows * count_most_masks(block, share)


def _shift(tokens: np.ndarray, pad: int | None) -> np.ndarray:
    """Of each token the next one, [B, T]; none of the last, and none that is padding."""
    labels = np.full_like(tokens, IGNORED)
    labels[:, :-1] = tokens[:, 1:]
    if pad is not None:
        labels[labels == pad] = IGNORED
    return labels


def select_blocks(count: int, seed: int, wanted: np.ndarray) -> np.ndarray:
    """The blocks at places `wanted` of an endless series: epochs, each all blocks once in its own order."""
    parts = [
        _draw_order(count, seed, epoch)[wanted[wanted // count == epoch] % count]
        for epoch in np.unique(wanted // count).tolist()
    ]
    chosen: np.ndarray = np.concatenate(parts)
    return chosen


@lru_cache(maxsize=2)
def _draw_order(count: int, seed: int, epoch: int) -> np.ndarray:
    return make_generator(seed, "order", epoch).permutation(count)


def draw_ahead(draw: Callable[[int], StepBatch], first: int, total: int) -> Iterator[StepBatch]:
    """What `draw` gives for the steps from `first` up to `total`, drawn by a thread some steps ahead."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        waiting = [pool.submit(draw, step) for step in range(first, min(first + _AHEAD, total))]
        for step in range(first, total):
            batch = waiting.pop(0).result()
            if step + _AHEAD < total:
                waiting.append(pool.submit(draw, step + _AHEAD))
            yield batch
