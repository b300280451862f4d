"""A group is one process: a model that two train together equals the same alone, dropout and clipping on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grouped_training import Case, check_grouped
from groups import Processes, open_processes
from headstart.config.parallel import ParallelKind

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
    check_grouped(two, kind, CASES[name])
