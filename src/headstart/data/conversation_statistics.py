"""What conversations look like before anything trains: tokens in the loss, padding, prompts and positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from headstart.data.batches import (
    compute_padded_length,
    count_loss_tokens,
    draw_epoch_batches,
    pack_sequences,
)
from headstart.data.corpus import Part
from headstart.data.tokenise import Tokens


@dataclass(frozen=True)
class LossTokens:
    """Of one part: tokens in the loss, and all; examples whose answer is cut, and with nothing to learn."""

    in_loss: int
    tokens: int
    cut_answers: int
    without_answer: int

    @property
    def share(self) -> float:
        """Of all tokens, those in the loss."""
        return self.in_loss / max(1, self.tokens)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "loss_tokens": self.in_loss,
            "loss_share": self.share,
            "answers_cut": self.cut_answers,
            "without_answer": self.without_answer,
        }


@dataclass(frozen=True)
class PromptLengths:
    """Tokens of the prompts that a checkpoint is asked, by where they come from: a part, or `samples`.

    `positions` are those that the model has for a prompt and its answer, None without a limit;
    `trained_positions` those that it was made for; answers have `max_new_tokens` at most.
    """

    lengths: Mapping[str, np.ndarray]
    positions: int | None
    trained_positions: int | None
    max_new_tokens: int

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest prompt; 0 for none."""
        return max((int(lengths.max(initial=0)) for lengths in self.lengths.values()), default=0)

    def count_asked(self) -> int:
        """How many prompts are answered."""
        return sum(map(len, self.lengths.values()))

    def count_beyond(self, limit: int | None, answer: int) -> dict[str, int]:
        """Prompts that pass the limit with an answer of so many tokens, where there are any."""
        if limit is None:
            return {}
        counts = {name: int((lengths + answer > limit).sum()) for name, lengths in self.lengths.items()}
        return {name: count for name, count in counts.items() if count}

    def count_cut(self) -> dict[str, int]:
        """Prompts that leave positions for a part of the longest answer."""
        full = self.count_without_room()
        some = self.count_beyond(self.positions, self.max_new_tokens)
        return {name: count - full.get(name, 0) for name, count in some.items() if count > full.get(name, 0)}

    def count_without_room(self) -> dict[str, int]:
        """Prompts that leave no position for an answer."""
        return self.count_beyond(self.positions, 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "asked": {name: len(lengths) for name, lengths in self.lengths.items()},
            "longest": self.longest,
            "positions": self.positions,
            "trained_positions": self.trained_positions,
            "max_new_tokens": self.max_new_tokens,
            "answers_cut_by_positions": self.count_cut(),
            "without_room": self.count_without_room(),
        }


@dataclass(frozen=True)
class ConversationStatistics:
    """Of one tokenizer and limit: tokens in the loss by part, padding of training batches, prompts."""

    parts: dict[Part, LossTokens]
    padding: float
    prompts: PromptLengths | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "parts": {part: of_part.to_dict() for part, of_part in self.parts.items()},
            "padding_share": self.padding,
            "prompts": None if self.prompts is None else self.prompts.to_dict(),
        }


def count_loss(tokens: Tokens) -> LossTokens:
    """The tokens of one part that count in the loss."""
    counts = count_loss_tokens(tokens)
    without = int((counts == 0).sum())
    # A conversation ends with an answer: what is cut is of that, if anything of it is left.
    return LossTokens(
        in_loss=int(counts.sum()),
        tokens=len(tokens.input_ids),
        cut_answers=max(0, tokens.truncated - without),
        without_answer=without,
    )


def measure_padding(tokens: Tokens, index: np.ndarray, batch_size: int, seed: int, *, packs: bool) -> float:
    """The share of padding in the batches of a run's first epoch.

    Args:
        index: the run's training examples, [n].
        packs: whether examples share rows.
    """
    lengths = tokens.lengths[index]
    batches = [index[batch] for batch in draw_epoch_batches(lengths, batch_size, seed, 1)]
    padded = sum(_count_places(tokens, batch, packs) for batch in batches)
    return 1 - int(lengths.sum()) / padded


def _count_places(tokens: Tokens, batch: np.ndarray, packs: bool) -> int:
    """Tokens of one batch, padding included."""
    width = compute_padded_length(tokens, batch)
    return width * (len(pack_sequences(tokens.lengths, batch, width)) if packs else len(batch))
