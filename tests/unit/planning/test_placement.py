"""How a placement is described."""

from __future__ import annotations

import pytest

from headstart.planning.placement import Placement, describe_placement


@pytest.mark.parametrize(
    ("placement", "sentence"),
    [
        (Placement(0, 0, "asked for"), "trained in this process"),
        (Placement(0, 0, "asked for", 3), "trained in this process, at most 3 runs together"),
        (Placement(1, 1, "why"), "trained by 1 worker process of 1 thread (why)"),
        (
            Placement(2, 4, "why", 8),
            "trained by 2 worker processes of 4 threads, at most 8 runs together (why)",
        ),
        (Placement(1, 0, "one process on cuda"), "trained by 1 worker process (one process on cuda)"),
    ],
)
def test_a_placement_is_one_sentence(placement: Placement, sentence: str) -> None:
    assert describe_placement(placement) == sentence
