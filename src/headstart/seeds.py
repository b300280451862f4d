"""One run seed becomes named, independent streams of random numbers; refuses unnamed purposes.

Every draw is a pure function of (seed, purpose, *key): nothing is ever drawn "next" from a shared
generator, so a run draws the same numbers alone, beside others, and after a restart.
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

import numpy as np

Purpose = Literal[
    "init",
    "head",
    "order",
    "subset",
    "dropout",
    "split",
    "batches",
    "lora",
    "texts",
    "answers",
    "sample",
    "judging",
    "shuffle",
    "masks",
    "corpus",
]
_PURPOSES = frozenset(get_args(Purpose))


def derive_seed(seed: int, purpose: Purpose, *key: int | str, bits: int = 128) -> int:
    """A whole number of `bits` bits that depends on all arguments and on nothing else.

    SHA-256 of the arguments' text, so that neighbouring seeds share no structure.
    """
    if purpose not in _PURPOSES:
        raise ValueError(f"unknown purpose {purpose!r}; one of {sorted(_PURPOSES)}")
    text = "\x1f".join(map(str, (seed, purpose, *key)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[: bits // 8], "little")


def make_generator(seed: int, purpose: Purpose, *key: int | str) -> np.random.Generator:
    """numpy's Philox generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3")."""
    return np.random.Generator(np.random.Philox(key=derive_seed(seed, purpose, *key)))


def draw_16_bit(key: int, counter: tuple[int, int, int], count: int) -> np.ndarray:
    """`count` uniform 16-bit numbers, shape [count], dtype uint16: the stream that key and counter name.

    SFC64 (Doty-Humphrey, PractRand), in half of Philox's time, from the state that numpy's `SeedSequence`
    hashes out of the key and the three numbers.
    """
    bits = np.random.SFC64(np.random.SeedSequence(key, spawn_key=counter))
    words: np.ndarray = bits.random_raw(-(-count // 4))
    return words.view(np.uint16)[:count]
