"""Answers prompts with a causal model: the library's `generate`, several at a time, padded on the left."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import GenerationConfig as LibraryConfig
from transformers import LogitsProcessorList

from headstart.device import Precision, make_autocast_context
from headstart.engine.answer_batches import generate_in_halves, plan_answer_batches
from headstart.engine.attention_kernels import refuse_cudnn_attention
from headstart.engine.finite_logits import FiniteScores
from headstart.engine.modes import evaluation_mode
from headstart.engine.sampling import list_samplers
from headstart.engine.virtual_tokens import count_virtual_tokens, hush_positions
from headstart.models.library import silence_logs
from headstart.models.positions import find_position_limit

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

    An answer ends at `stop_ids`, and at the tokenizer's end token. Nothing else of a checkpoint's own
    generation configuration counts: no penalty, no forbidden or forced token, no sampling.
    With `static_cache` keys and values lie in memory of one size, for which the library compiles a token's
    step on a GPU where the family's code allows it, which pays for very many tokens alone.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    static_cache: bool = False
    stop_ids: tuple[int, ...] = ()


def generate_answers(
    model: Any,
    prompts: Sequence[Sequence[int]],
    tokenizer: Any,
    config: GenerationConfig,
    precision: Precision,
    streamer: Any = None,
    places: Sequence[str] = (),
) -> list[Answer]:
    """The model's answer to each prompt, which are token ids.

    An answer has stopped if it ends with an end token; white space around it is taken off. It ends where the
    model's positions do; that to a prompt which leaves none is empty. What is sampled is a function of
    the seed and the prompt's ids, whatever the other prompts are.

    Args:
        places: where each prompt stands, for messages.

    Raises:
        ModelError: logits are nan or infinite.
    """
    places = places or [f"prompt {i + 1}" for i in range(len(prompts))]
    lengths, limit = list(map(len, prompts)), find_position_limit(model)
    answers: dict[int, Answer] = {}
    stop_ids = {*config.stop_ids, tokenizer.eos_token_id}

    def generate(index: list[int], room: int) -> list[list[int]]:
        chosen, fitting = [prompts[i] for i in index], replace(config, max_new_tokens=room)
        finite = FiniteScores([places[i] for i in index])
        return list(_generate_ids(model, chosen, tokenizer, fitting, precision, streamer, stop_ids, finite))

    with evaluation_mode(model), _set_generation_aside(model):
        # BLOOM's masked scores overflow its float32 softmax in float64, where a row is nothing but padding.
        size = 1 if precision == "fp64" else _BATCH_SIZE
        # PEFT's virtual tokens stand before the padding: without it alone prompts are as far from them as in
        # training.
        alike = count_virtual_tokens(model) > 0
        for index, room in plan_answer_batches(lengths, config.max_new_tokens, limit, size, one_length=alike):
            generated = generate_in_halves(generate, index, room)
            decoded = (_decode_answer(ids, tokenizer, stop_ids) for ids in generated)
            answers |= dict(zip(index, decoded, strict=True))
    return [answers.get(i, Answer("", stopped=False)) for i in range(len(prompts))]


def _generate_ids(
    model: Any,
    prompts: Sequence[Sequence[int]],
    tokenizer: Any,
    config: GenerationConfig,
    precision: Precision,
    streamer: Any,
    stop_ids: Collection[int],
    finite: FiniteScores,
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
    samplers = list_samplers(prompts, config) if config.temperature else []
    more: dict[str, Any] = {"logits_processor": LogitsProcessorList([finite, *samplers])}
    if static_cache and getattr(model, "_can_compile_fullgraph", False):
        more["cache_implementation"] = "static"
    autocast = make_autocast_context(device, precision)
    with torch.inference_mode(), autocast, refuse_cudnn_attention(), silence_logs(), hush_positions():
        sequences = model.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            max_new_tokens=config.max_new_tokens,
            do_sample=False,
            eos_token_id=sorted(stop_ids),
            pad_token_id=tokenizer.pad_token_id,
            streamer=streamer,
            **more,
        )
    return (row[width:].tolist() for row in sequences)


def _decode_answer(ids: list[int], tokenizer: Any, stop_ids: Collection[int]) -> Answer:
    end = next((place for place, i in enumerate(ids) if i in stop_ids), None)
    # Taking off the space before a full stop is for people's eyes: it would change what the model wrote.
    text = tokenizer.decode(ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Answer(text.strip(), stopped=end is not None)


@contextmanager
def _set_generation_aside(model: Any) -> Iterator[None]:
    """Sets the model's own generation settings aside: the library fills from it what a call leaves open."""
    owners = [m for m in model.modules() if "generation_config" in vars(m)]
    before = [owner.generation_config for owner in owners]
    for owner in owners:
        owner.generation_config = LibraryConfig()
    try:
        yield
    finally:
        for owner, own in zip(owners, before, strict=True):
            owner.generation_config = own
