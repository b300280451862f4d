"""Greedy is greedy and stops where turns end; what is sampled depends on the seed and the prompt alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from peft import PromptTuningConfig, TaskType, get_peft_model
from transformers import GenerationConfig as LibraryConfig
from transformers import LlamaConfig, LlamaForCausalLM

from chat_models import make_chat_tokenizer
from headstart.engine.generate import Answer, GenerationConfig, generate_answers

PROMPTS = [[10, 11, 12], [20, 21, 22, 23, 24, 25], [30], [40, 41]]
GREEDY = GenerationConfig(max_new_tokens=12)
#: What a checkpoint's file may ask of `generate`, each of which changes a greedy answer.
ASKED: list[dict[str, Any]] = [
    {"repetition_penalty": 5.0},
    {"no_repeat_ngram_size": 1},
    {"suppress_tokens": list(range(5, 100))},
    {"begin_suppress_tokens": list(range(5, 100))},
    {"bad_words_ids": [[i] for i in range(5, 100)]},
    {"min_length": 12},
    {"min_new_tokens": 12},
    {"max_length": 5},
    {"forced_eos_token_id": 99},
    {"forced_bos_token_id": 99},
    {"do_sample": True, "temperature": 5.0, "top_k": 3, "top_p": 0.9},
    {"num_beams": 3, "length_penalty": 3.0},
    {"num_return_sequences": 2, "num_beams": 2},
    {"exponential_decay_length_penalty": (1, 3.0)},
    {"sequence_bias": [[[99], 100.0]]},
    {"stop_strings": ["a"]},
    {"return_dict_in_generate": True},
    {"guidance_scale": 3.0},
    {"cache_implementation": "static"},
    {"renormalize_logits": True, "min_p": 0.5},
]


@pytest.fixture(scope="module")
def model() -> Any:
    """Random, and sure of what it says."""
    config = LlamaConfig(
        vocab_size=len(make_chat_tokenizer()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(config).eval()


def _answer(
    model: Any, config: GenerationConfig = GREEDY, prompts: list[list[int]] = PROMPTS, **own: Any
) -> list[Answer]:
    before = model.generation_config
    model.generation_config = LibraryConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0, **own)
    try:
        return generate_answers(model, prompts, make_chat_tokenizer(), config, "fp32")
    finally:
        assert all(getattr(model.generation_config, key) == value for key, value in own.items())
        model.generation_config = before


@pytest.mark.parametrize("own", ASKED, ids=lambda own: next(iter(own)))
def test_greedy_answers_ask_nothing_of_the_checkpoints_settings(model: Any, own: dict[str, Any]) -> None:
    assert _answer(model, **own) == _answer(model)


def test_greedy_answers_take_the_likeliest_token_each_time(model: Any) -> None:
    tokenizer = make_chat_tokenizer()
    for prompt, answer in zip(PROMPTS, _answer(model), strict=True):
        ids = list(prompt)
        for _ in range(12):
            with torch.inference_mode():
                ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == tokenizer.eos_token_id:
                break
        new = ids[len(prompt) :]
        stopped = new[-1] == tokenizer.eos_token_id
        assert answer.stopped == stopped
        assert answer.text == tokenizer.decode(new, skip_special_tokens=True).strip()


def test_an_answer_ends_at_the_first_of_the_stop_ids(model: Any) -> None:
    tokenizer = make_chat_tokenizer()
    with torch.inference_mode():
        ids = model.generate(
            torch.tensor([PROMPTS[0]]), max_new_tokens=12, do_sample=False, eos_token_id=[], pad_token_id=0
        )[0, len(PROMPTS[0]) :].tolist()
    stop = ids[5]
    (answer,) = _answer(model, GenerationConfig(max_new_tokens=12, stop_ids=(stop, 999)), PROMPTS[:1])
    assert answer == Answer(tokenizer.decode(ids[: ids.index(stop)], skip_special_tokens=True).strip(), True)


def _sample(model: Any, prompts: list[list[int]], **changes: Any) -> list[str]:
    settings: dict[str, Any] = {"max_new_tokens": 12, "temperature": 1.5} | changes
    return [answer.text for answer in _answer(model, GenerationConfig(**settings), prompts)]


def test_a_sampled_answer_depends_on_seed_and_prompt_alone(model: Any) -> None:
    together = _sample(model, PROMPTS)
    assert [_sample(model, [prompt])[0] for prompt in PROMPTS] == together
    assert _sample(model, PROMPTS[::-1])[::-1] == together
    twenty = [*([i] for i in range(10, 30)), *PROMPTS]
    assert _sample(model, twenty)[20:] == together
    assert _sample(model, PROMPTS, seed=1) != together
    assert len(set(together)) == len(together)


def test_sampling_leaves_the_global_generator_alone(model: Any) -> None:
    before = torch.random.get_rng_state()
    _sample(model, PROMPTS)
    assert torch.equal(before, torch.random.get_rng_state())


def test_very_low_temperatures_are_greedy(model: Any) -> None:
    assert _sample(model, PROMPTS, temperature=1e-4) == [answer.text for answer in _answer(model)]


def test_spaces_before_full_stops_stay(model: Any) -> None:
    """The library's cleaning up would make another answer of it."""
    seen: dict[str, Any] = {}
    tokenizer = make_chat_tokenizer()
    decode = tokenizer.decode

    def note(ids: Any, **options: Any) -> Any:
        seen.update(options)
        return decode(ids, **options)

    tokenizer.decode = note
    generate_answers(model, PROMPTS[:1], tokenizer, GREEDY, "fp32")
    assert seen["clean_up_tokenization_spaces"] is False


def test_nothing_of_pefts_positions_is_printed(model: Any, recwarn: pytest.WarningsRecorder) -> None:
    config = PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=3)
    adapted = get_peft_model(copy.deepcopy(model), config)
    recwarn.clear()
    assert len(_answer(adapted)) == len(PROMPTS)
    assert not [warning for warning in recwarn if "Position ids" in str(warning.message)]
