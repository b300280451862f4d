"""Which elements dropout keeps, each by its place in a member's tensor: in numpy, as kernels are to do it.

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a counter of four
32-bit words and a key of 64 bits into 128 random bits, here eight 16-bit numbers. The counter is a place, so
that what a pack pads at the end of a dimension moves no other element to another number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from headstart.errors import StackError
from headstart.seeds import derive_seed

#: A number is uniform over so many levels: the dropped share is within 1e-5 of p.
LEVELS = 1 << 16
#: Numbers that one counter gives.
NUMBERS = 8
#: Calls of dropout that a forward pass may have, and forward passes that a run may make: together 32 bits.
SITES = 1 << 10
PASSES = 1 << 22

_ROUNDS = 10
_MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
_KEY_STEPS = np.array([0x9E3779B9, 0xBB67AE85], np.uint64)
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)


def derive_keys(seeds: Sequence[int]) -> np.ndarray:
    """The R members' keys, 64 bits as int64 [R]: torch counts in no larger whole numbers."""
    return np.array([derive_seed(seed, "dropout", bits=64) for seed in seeds], np.uint64).view(np.int64)


def compute_philox(counter: Sequence[np.ndarray], key: np.ndarray) -> tuple[np.ndarray, ...]:
    """Four words of 32 random bits for each counter.

    Args:
        counter: its four words, numbers below 2**32 in shapes that broadcast.
        key: int64 or uint64, of a shape that broadcasts with them; the low word is the first.
    """
    c0, c1, c2, c3 = (np.asarray(word).astype(np.uint64) for word in counter)
    unsigned = key.view(np.uint64)
    k0, k1 = unsigned & _LOW, unsigned >> _WORD
    for _ in range(_ROUNDS):
        first, second = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (second >> _WORD) ^ c1 ^ k0, second & _LOW, (first >> _WORD) ^ c3 ^ k1, first & _LOW
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW, (k1 + _KEY_STEPS[1]) & _LOW
    return tuple(word.astype(np.uint32) for word in np.broadcast_arrays(c0, c1, c2, c3))


def split_places(shape: Sequence[int], members: int) -> tuple[int, int, int]:
    """How many places a member's part of a tensor of `shape` has: (the rest, dimension before last, last).

    The leading dimension holds rows grouped by member, [R*B, ...], or is the members', [R, ...]. A part of
    one dimension, [R*B] or [R, D], has one place before the last. So a tensor of two dimensions [R*B, D] has
    its rows where [R, B, D] has them: what a model makes once for all rows is the same stacked and alone.

    Raises:
        StackError: the leading dimension cannot be shared out to the members.
    """
    if not shape or shape[0] % members:
        raise StackError(
            f"dropout over a tensor of shape {tuple(shape)} of {members} members",
            expected="rows grouped by member in the first dimension",
        )
    part = [shape[0] // members, *shape[1:]]
    if len(part) == 1:
        return 1, 1, part[0]
    return math.prod(part[:-2]), part[-2], part[-1]


def find_kept(shape: Sequence[int], keys: np.ndarray, passes: np.ndarray, site: int, p: float) -> np.ndarray:
    """Which elements of a tensor of `shape` stay, bool.

    An element stays where its 16-bit number is at least p of the levels. Its counter is (place in the last
    dimension // 8, place in the one before, the rest within the member, pass and site); the numbers of one
    counter are the low and high halves of its words in order.

    Args:
        shape: the leading dimension holds rows grouped by member, or is the members'.
        keys: the R members', int64.
        passes: the forward passes with gradient that each member made before, int64 [R], below PASSES.
        site: the number of the call within the forward pass, below SITES.

    Raises:
        StackError: the leading dimension cannot be shared out to the members.
    """
    members = len(keys)
    rest, before, last = split_places(shape, members)
    by_member = (members, 1, 1, 1)
    counter = (
        np.arange(-(-last // NUMBERS)),
        np.arange(before)[:, None],
        np.arange(rest)[:, None, None],
        (passes * SITES + site).reshape(by_member),
    )
    words = np.stack(compute_philox(counter, keys.reshape(by_member)), axis=-1)
    halves = np.stack([words & 0xFFFF, words >> 16], axis=-1)  # [R, rest, before, counters, 4, 2]
    numbers = halves.reshape(members, rest, before, -1)[..., :last]
    kept: np.ndarray = (numbers >= round(p * LEVELS)).reshape(shape)
    return kept
