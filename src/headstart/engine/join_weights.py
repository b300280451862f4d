"""Joins models, which come one at a time, to the weights of one pack."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from headstart.engine.optim.decay import find_decaying_parameters
from headstart.engine.stack import stack
from headstart.engine.stack_check import check_agreement
from headstart.engine.weights import Weights


def join_weights(models: Iterator[nn.Module], count: int) -> Weights:
    """The weights of `count` models, which come one at a time: memory never holds all beside the stack.

    One stays a plain model; more become a stack, checked against its first and last members.
    Raises:
        StackError: the architecture cannot be stacked.
    """
    first = next(models)
    if count == 1:
        return Weights(first, find_decaying_parameters(first))
    module = stack([first] * count, check=False)
    weights, last = Weights(module, find_decaying_parameters(first)), first
    for r, last in enumerate(models, start=1):
        weights.load_member(r, last)
    # Checked with the members' own weights: equal ones would hide rows that meet another member's.
    check_agreement(module, {0: first, count - 1: last})
    return weights
