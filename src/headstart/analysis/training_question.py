"""For which training examples a contrast's verdict holds: these, draws from them, or ones like them."""

from __future__ import annotations

from typing import Final

from headstart.config.sizes import Size
from headstart.config.study import Data

THESE: Final = "for these training examples"
LIKE_THESE: Final = "for training examples like these"


def describe_training_texts(data: Data, size: Size, *, is_corrected: bool = True) -> str:
    """The question that a verdict answers, in words that end a sentence.

    A number of texts is drawn anew for each seed, so the interval covers which of them were drawn, and not
    that the texts drawn from could have been others. Folds and bootstrap samples are corrected for that
    (`find_shared_part`), where there is an interval that can be.
    """
    if size != "all":
        return f"for other draws of {size:,} of these training examples"
    if data.training_texts == "fixed":
        return THESE
    return LIKE_THESE if is_corrected else "for other draws from these training examples"


def find_shared_part(data: Data, size: Size) -> float:
    """What all seeds' differences have in common because their texts come from one pool: its variance in
    units of the variance between seeds.

    Where seeds are correlated by rho, the variance of the mean of S is the one between them times
    1 / S + rho / (1 - rho): the corrected resampled t test of Nadeau & Bengio 2003, "Inference for the
    generalization error". It takes all that varies between seeds for their texts' doing, and so is wide where
    other luck is large. Samples of the bootstrap vary about the pool as the pool does about all texts, so
    rho is 1/2. Seeds that each leave out a fold of k share all but 1/k of their variance: rho = (k - 1) / k.
    """
    if size != "all" or data.training_texts == "fixed":
        return 0.0
    return 1.0 if data.training_texts == "bootstrap" else float(data.folds - 1)
