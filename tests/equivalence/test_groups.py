"""Two processes with one model are one process, by DDP and FSDP; tests/cluster has more cases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grouped_training import Case, check_grouped
from groups import Processes, open_processes
from headstart.config.parallel import ParallelKind


@pytest.fixture(scope="module")
def two() -> Iterator[Processes]:
    with open_processes(2) as processes:
        yield processes


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        ("ddp", Case(settings={"accumulation": 3, "batch_size": 4, "clip": 0.05})),
        ("fsdp", Case("llama", lora=True, recomputes=True)),
        ("fsdp", Case(texts=61)),
    ],
    ids=["ddp, accumulated", "fsdp, adapters, recomputed", "fsdp, a batch of one row at the end"],
)
def test_a_group_is_one_process(two: Processes, kind: ParallelKind, case: Case) -> None:
    check_grouped(two, kind, case)
