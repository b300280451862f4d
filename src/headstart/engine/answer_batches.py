"""Divides prompts into batches that the model's positions, and memory, hold; answers nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from headstart import cuda
from headstart.engine.memory import is_out_of_memory

#: Gives the ids of the answers to the prompts of a batch, of so many tokens at most.
GenerateIds = Callable[[list[int], int], list[list[int]]]


def plan_answer_batches(
    lengths: Sequence[int], max_new_tokens: int, limit: int | None, size: int, *, one_length: bool = False
) -> Iterator[tuple[list[int], int]]:
    """Which of N prompts are answered at once, and with how many tokens at most: short prompts first.

    A prompt whose answer the limit cuts is only beside those of its own length: a batch goes on until its
    last answer ends, and the others would pass the limit. One that fills all positions is in no batch.

    Args:
        lengths: tokens of each prompt, [N].
        limit: most tokens of a prompt with its answer; None for no limit.
        size: most prompts of a batch.
        one_length: put only prompts of one length beside each other.
    """
    rooms = [count_room(length, max_new_tokens, limit) for length in lengths]
    order = sorted((i for i, room in enumerate(rooms) if room), key=lambda i: lengths[i])
    for (room, _), group in groupby(order, key=lambda i: (rooms[i], lengths[i] if one_length else 0)):
        index = list(group)
        yield from ((index[start : start + size], room) for start in range(0, len(index), size))


def count_room(length: int, max_new_tokens: int, limit: int | None) -> int:
    """Most tokens of an answer behind a prompt of `length` tokens."""
    return max_new_tokens if limit is None else max(0, min(max_new_tokens, limit - length))


def generate_in_halves(generate: GenerateIds, index: list[int], room: int) -> list[list[int]]:
    """What `generate` gives for a batch, in halves where memory does not hold it.

    Raises:
        MemoryError, RuntimeError: memory does not hold one prompt, or whatever else `generate` raises.
    """
    try:
        return generate(index, room)
    except (MemoryError, RuntimeError) as error:
        if len(index) == 1 or not is_out_of_memory(error):
            raise
    # Outside of the handler, whose error holds on to what filled the memory.
    cuda.release_memory()
    halves = index[: len(index) // 2], index[len(index) // 2 :]
    return [ids for half in halves for ids in generate_in_halves(generate, half, room)]
