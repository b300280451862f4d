"""Dropout masks drawn on the host, each a pure function of (run seed, step, site) and of its shape.

A mask comes from a stream of its own (`seeds.draw_16_bit`), in the shape that the tensor has when the member
is alone, and is set into the tensor that the pack has padded. Thresholds have 16 bits: the dropped share is
within 1e-5 of p.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from headstart.errors import StackError
from headstart.seeds import derive_seed, draw_16_bit

_LEVELS = 1 << 16


@dataclass(frozen=True)
class DropoutKey:
    """What one member's masks are a function of: its seed, the forward passes with gradient that it has made
    before, and the shape [rows, tokens] of its own part of the batch, before the pack pads it.

    `share` are the rows that this process computes, the first and one past the last, where a group of
    processes shares them; all by default.
    """

    seed: int
    step: int
    rows: int
    tokens: int
    share: tuple[int, int] | None = None


class HostMasks:
    """The masks of one forward pass of R members, of B rows and T tokens with what the pack pads.

    What is padded, rows up to B and tokens up to T, is dropped and costs no number: so a member's own rows
    meet the same masks beside any others.

    Args:
        keys: the R members'.
        rows: B, rows of each member in this pass.
        tokens: T.
    """

    def __init__(self, keys: Sequence[DropoutKey], rows: int, tokens: int) -> None:
        self._keys, self._rows, self._tokens = keys, rows, tokens
        self._streams = [derive_seed(key.seed, "dropout") for key in keys]

    def draw_mask(self, like: torch.Tensor, p: float, site: int) -> torch.Tensor:
        """All bits for what stays, none for what is dropped: `like`'s shape, integers of its dtype's size.

        Args:
            like: the tensor that is dropped out, on whose device the mask is wanted.
            site: the number of the call within the forward pass.

        Raises:
            StackError: the leading dimension holds neither the members' rows nor the members.
        """
        threshold = round(p * _LEVELS)
        shape = (like.shape[0] // len(self._keys), *like.shape[1:])
        masks = []
        for stream, key in zip(self._streams, self._keys, strict=True):
            if key.share is not None and not self._has_rows(like.shape):
                own_shape, key = tuple(like.shape), replace(key, share=None)
            else:
                own_shape = self._get_member_shape(like.shape, key)
            kept = draw_16_bit(stream, (site, key.step, 0), math.prod(own_shape)) >= threshold
            masks.append(_pad_mask(_take_share(kept.reshape(own_shape), key), shape))
        mask = masks[0] if len(masks) == 1 else np.concatenate(masks)
        bits = np.negative(mask.view(np.int8), dtype=f"i{like.element_size()}")
        return torch.from_numpy(bits).view(like.shape).to(like.device)

    def _has_rows(self, shape: torch.Size) -> bool:
        """Whether the first dimension holds the batch's rows; a table of distances, say, is no row's."""
        if shape[0] % self._rows:
            return False
        return len(shape) > 2 or shape[0] in (self._rows, self._rows * self._tokens)

    def _get_member_shape(self, shape: torch.Size, key: DropoutKey) -> tuple[int, ...]:
        """The shape that a tensor of `shape` has when the member is alone."""
        members, per_row = len(self._keys), shape[0] / (len(self._keys) * self._rows)
        if members == 1 and (key.rows, key.tokens) == (self._rows, self._tokens):
            return tuple(shape)
        if per_row.is_integer():
            alone = [int(per_row) * key.rows, *shape[1:]]
            for dimension in _find_token_dimensions(shape, int(per_row), self._tokens):
                alone[dimension] = key.tokens
            return tuple(alone)
        if shape[0] == members:
            return tuple(shape[1:])
        raise StackError(
            f"dropout over a tensor of shape {tuple(shape)}; {members} members have {self._rows} rows each",
            expected="rows grouped by member in the first dimension",
        )


def _find_token_dimensions(shape: torch.Size, per_row: int, tokens: int) -> tuple[int, ...]:
    """Which dimensions are tokens': two of attention weights [rows, (heads,) T, T], else the second."""
    is_attention = len(shape) == 4 or (len(shape) == 3 and per_row > 1)
    if is_attention and shape[-1] == shape[-2] == tokens:
        return (len(shape) - 2, len(shape) - 1)
    return (1,) if len(shape) > 2 and shape[1] == tokens else ()


def _take_share(mask: np.ndarray, key: DropoutKey) -> np.ndarray:
    """The rows of a member's mask that this process computes: all are drawn, so that each meets its own."""
    if key.share is None:
        return mask
    per_row = len(mask) // key.rows
    return mask[key.share[0] * per_row : key.share[1] * per_row]


def _pad_mask(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`mask` in the first corner of zeros of `shape`; of as many elements, it is reshaped."""
    if math.prod(shape) == mask.size:
        return mask.reshape(shape)
    padded = np.zeros(shape, bool)
    padded[tuple(map(slice, mask.shape))] = mask
    return padded
