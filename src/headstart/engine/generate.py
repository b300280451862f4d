"""Answers prompts with a causal model: the library's `generate`, several at a time, padded on the left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch

from headstart.device import Precision, make_autocast_context
from headstart.engine.attention_kernels import refuse_cudnn_attention
from headstart.engine.modes import evaluation_mode
from headstart.engine.virtual_tokens import count_virtual_tokens
from headstart.models.checkpoints import silence_logs

#: Prompts answered at once.
_BATCH_SIZE = 16
#: Prompts beside a static cache are padded to a multiple of this, so that few sizes of it occur.
_STATIC_WIDTH = 32


@dataclass(frozen=True)
class Answer:
    """A generated text, and whether it ended with the end token."""

    text: str
    stopped: bool


@dataclass(frozen=True)
class GenerationConfig:
    """How answers are generated: greedily, or sampled with `seed` where `temperature` is above 0.

    With `static_cache` keys and values lie in memory of one size, for which the library compiles a token's
    step on a GPU where the family's code allows it, which pays for very many tokens alone.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    static_cache: bool = False


def generate_answers(
    model: Any,
    prompts: Sequence[Sequence[int]],
    tokenizer: Any,
    config: GenerationConfig,
    precision: Precision,
    streamer: Any = None,
) -> list[Answer]:
    """The model's answer to each prompt, which are token ids.

    An answer has stopped if it ends with the end token; white space around it is taken off.
    """
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    answers: dict[int, Answer] = {}
    with evaluation_mode(model), torch.random.fork_rng():
        torch.manual_seed(config.seed)
        # BLOOM's masked scores overflow its float32 softmax in float64, where a row is nothing but padding.
        size = 1 if precision == "fp64" else _BATCH_SIZE
        for index in _cut_batches(order, prompts, size, one_length=count_virtual_tokens(model) > 0):
            generated = _generate_ids(
                model, [prompts[i] for i in index], tokenizer, config, precision, streamer
            )
            answers |= dict(zip(index, (_decode_answer(ids, tokenizer) for ids in generated), strict=True))
    return [answers[i] for i in range(len(prompts))]


def _cut_batches(
    order: Sequence[int], prompts: Sequence[Sequence[int]], size: int, *, one_length: bool
) -> Iterator[list[int]]:
    """Batches of at most `size` prompts in the order given, where it is asked for each of one length.

    PEFT's virtual tokens stand before the padding: without it alone prompts are as far from them as in
    training.
    """
    for _, alike in groupby(order, key=lambda i: len(prompts[i]) if one_length else 0):
        batch = list(alike)
        yield from (batch[start : start + size] for start in range(0, len(batch), size))


def _generate_ids(
    model: Any,
    prompts: Sequence[Sequence[int]],
    tokenizer: Any,
    config: GenerationConfig,
    precision: Precision,
    streamer: Any,
) -> Iterator[list[int]]:
    """The ids behind each prompt."""
    device = next(model.parameters()).device
    width = max(map(len, prompts))
    static_cache = config.static_cache and not count_virtual_tokens(model)  # PEFT's has a size of its own
    if static_cache:
        width = -(-width // _STATIC_WIDTH) * _STATIC_WIDTH
    ids = torch.full((len(prompts), width), tokenizer.pad_token_id)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    more: dict[str, Any] = {"do_sample": False}
    if config.temperature:
        more = {"do_sample": True, "temperature": config.temperature, "top_p": config.top_p, "top_k": 0}
    if static_cache and getattr(model, "_can_compile_fullgraph", False):
        more["cache_implementation"] = "static"
    autocast = make_autocast_context(device, precision)
    with torch.inference_mode(), autocast, refuse_cudnn_attention(), silence_logs():
        sequences = model.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            max_new_tokens=config.max_new_tokens,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            streamer=streamer,
            **more,
        )
    return (row[width:].tolist() for row in sequences)


def _decode_answer(ids: list[int], tokenizer: Any) -> Answer:
    stopped = tokenizer.eos_token_id in ids
    answer_ids = ids[: ids.index(tokenizer.eos_token_id)] if stopped else ids
    return Answer(tokenizer.decode(answer_ids, skip_special_tokens=True).strip(), stopped)
