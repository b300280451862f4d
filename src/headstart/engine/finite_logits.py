"""Refuses answers from logits that are no numbers: of nan the likeliest class is the first, and no error."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor

from headstart.errors import ModelError, TrainingError

_FIX = "use an earlier checkpoint, or precision: fp32: its values overflow the current format"


def find_not_finite(logits: torch.Tensor) -> int | None:
    """The first example whose logits, [n, ...], hold nan or infinity; None where none does."""
    is_finite = logits.isfinite()
    if bool(is_finite.all()):
        return None
    return int(is_finite.reshape(len(logits), -1).all(dim=1).logical_not().nonzero()[0, 0])


def make_logits_error(name: str, place: str) -> ModelError:
    """What is said of a text, at `place`, to which the model called `name` has no answer."""
    return ModelError(
        f"the logits of {name} are nan or infinite here, so there is no answer",
        where=place,
        expected="numbers",
        fix=_FIX,
    )


def check_outputs(outputs: torch.Tensor, place: str) -> None:
    """See that what is measured of examples, [n, K], is numbers.

    Args:
        place: which examples these are, for messages.

    Raises:
        TrainingError: it is not; says which example.
    """
    error = judge_outputs(outputs, place)
    if error is not None:
        raise error


def judge_outputs(outputs: torch.Tensor, place: str) -> TrainingError | None:
    """What `check_outputs` would raise; None where all are numbers."""
    broken = find_not_finite(outputs)
    if broken is None:
        return None
    return TrainingError(
        f"the model's outputs for example {broken + 1} of {place} are nan or infinite",
        expected="numbers",
        fix=_FIX,
    )


class FiniteScores(LogitsProcessor):  # type: ignore[misc]
    """Stops the library's `generate` where scores [n, V] are nan or infinite; -infinity forbids a token.

    Args:
        places: where each of the n prompts stands, for messages.
    """

    def __init__(self, places: Sequence[str]) -> None:
        self._places = places

    def __call__(self, input_ids: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:
        """As the library calls it, once a token."""
        # The largest is nan where any is, and minus infinity where no token is allowed.
        broken = find_not_finite(scores.amax(dim=-1, keepdim=True))
        if broken is not None:
            raise make_logits_error("the model", self._places[broken])
        return scores
