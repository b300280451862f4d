"""States what the pickle of a checkpoint may hold at most, and the errors of one that holds more."""

from __future__ import annotations

from typing import Final

#: Operations and bytes of the largest pickle: those of models with thousands of tensors have some 100,000.
MOST_STEPS: Final = 2_000_000
MOST_BYTES: Final = 64 << 20
#: An entry of a copied list or dictionary takes at least so many.
ENTRY_BYTES: Final = 32
LONGEST_LINE: Final = 4096
MOST_DIMENSIONS: Final = 8
LARGEST: Final = 2**48


class PickleError(ValueError):
    """A pickle that is damaged, or asks for what no checkpoint needs."""


class ForbiddenNameError(PickleError):
    """A pickle names a class or function that is not on the list."""
