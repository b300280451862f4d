"""A group is one process: a model that two train together equals the same alone, dropout and clipping on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from grouped_training import Case, Outcome, train_case
from groups import Processes, open_processes
from headstart.config.parallel import ParallelKind
from tiny import max_difference

KINDS: tuple[ParallelKind, ...] = ("ddp", "fsdp")
CASES = {
    "bert": Case(),
    "modernbert": Case("modernbert"),
    "deberta-v2, with masks of distances": Case("deberta-v2", settings={"batch_size": 4}),
    "albert, one block called twice": Case("albert"),
    "llama, a tied batch of odd rows": Case("llama", settings={"batch_size": 5}),
    "gpt2, regression": Case("gpt2", "regression"),
    "roberta, several labels": Case("roberta", "multi-label"),
    "adapters": Case(lora=True),
    "adapters of llama": Case("llama", lora=True),
    "accumulated": Case(settings={"accumulation": 3, "batch_size": 4, "clip": 0.05}),
    "recomputed": Case(recomputes=True),
    "adapters, recomputed": Case("llama", lora=True, recomputes=True),
    "a batch of one row at the end": Case(texts=61),
    "out of patience": Case(settings={"steps": 40, "learning_rate": 1e-12, "patience": 1}),
}


@pytest.fixture(scope="module")
def two() -> Iterator[Processes]:
    with open_processes(2) as processes:
        yield processes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_a_group_is_one_process(two: Processes, kind: ParallelKind, name: str) -> None:
    case = CASES[name]
    alone = train_case(None, case)
    first, second = two.run(train_case, kind, case)
    assert alone.losses[0] != alone.losses[-1]
    _check_equal(alone, first)
    # The other process has gone the same way, to the bit.
    assert (second.losses, second.scores) == (first.losses, first.scores)
    if kind == "ddp":
        assert max_difference(second.weights, first.weights) == 0


def _check_equal(expected: Outcome, actual: Outcome) -> None:
    assert len(actual.losses) == len(expected.losses)
    assert np.allclose(actual.losses, expected.losses, rtol=0, atol=1e-9)
    assert len(actual.scores) == len(expected.scores)
    for wanted, got in zip(expected.scores, actual.scores, strict=True):
        assert got == pytest.approx(wanted, abs=1e-9)
    assert max_difference(actual.weights, expected.weights) < 1e-9
    assert actual.moments.keys() == expected.moments.keys()
    for name, value in expected.moments.items():
        torch.testing.assert_close(actual.moments[name].to(value.dtype), value, rtol=0, atol=1e-9)
