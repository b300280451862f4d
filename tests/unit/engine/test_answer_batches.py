"""Batches of prompts stay within the positions, hold all that have room, and are halved for memory."""

from __future__ import annotations

import pytest
import torch

from headstart.engine.answer_batches import generate_in_halves, plan_answer_batches


def test_without_a_limit_short_prompts_come_first_in_batches_of_one_size() -> None:
    batches = list(plan_answer_batches([9, 2, 5, 7, 1], 8, None, 2))
    assert batches == [([4, 1], 8), ([2, 3], 8), ([0], 8)]


def test_answers_end_where_positions_do() -> None:
    lengths = [4, 12, 13, 16, 12, 17, 8, 15]
    batches = list(plan_answer_batches(lengths, 6, 16, 16))
    assert batches == [([0, 6], 6), ([1, 4], 4), ([2], 3), ([7], 1)]
    assert all(lengths[i] + room <= 16 for index, room in batches for i in index)


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("x"), RuntimeError("not enough memory: x")]
)
def test_a_batch_that_memory_does_not_hold_is_halved(error: Exception) -> None:
    asked: list[list[int]] = []

    def generate(index: list[int], room: int) -> list[list[int]]:
        asked.append(index)
        if len(index) > 2:
            raise error
        return [[i, room] for i in index]

    assert generate_in_halves(generate, [5, 3, 1, 4, 2], 7) == [[5, 7], [3, 7], [1, 7], [4, 7], [2, 7]]
    assert asked == [[5, 3, 1, 4, 2], [5, 3], [1, 4, 2], [1], [4, 2]]


@pytest.mark.parametrize(("error", "index"), [(MemoryError(), [3]), (RuntimeError("a bug"), [3, 4])])
def test_what_halves_do_not_mend_is_raised(error: Exception, index: list[int]) -> None:
    def generate(index: list[int], room: int) -> list[list[int]]:
        raise error

    with pytest.raises(type(error)):
        generate_in_halves(generate, index, 7)
