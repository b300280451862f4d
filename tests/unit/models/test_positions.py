"""The limit is the number of tokens after which a network fails; none where it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from headstart.models.checkpoints import open_checkpoint
from headstart.models.positions import find_position_limit

P = 12
_BODY = {"vocab_size": 60, "pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 3}
_HIDDEN = _BODY | {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
_ENCODER = _HIDDEN | {"intermediate_size": 16, "max_position_embeddings": P, "is_decoder": True}
_LLAMA = _HIDDEN | {"intermediate_size": 16, "max_position_embeddings": P, "num_key_value_heads": 1}
_GPT = _BODY | {"n_positions": P, "n_embd": 16, "n_layer": 1, "n_head": 2}
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": _GPT,
    "openai-gpt": _GPT,
    "gpt_bigcode": _GPT,
    "gptj": _GPT | {"rotary_dim": 4},
    "ctrl": _BODY | {"n_positions": P, "n_embd": 16, "dff": 16, "n_layer": 1, "n_head": 2},
    "gpt_neo": _BODY
    | {"max_position_embeddings": P, "hidden_size": 16, "num_layers": 1, "num_heads": 2}
    | {"attention_types": [[["global"], 1]]},
    "opt": _HIDDEN | {"max_position_embeddings": P, "ffn_dim": 16, "word_embed_proj_dim": 16},
    "biogpt": _ENCODER,
    "mpt": _BODY | {"d_model": 16, "n_heads": 2, "n_layers": 1, "max_seq_len": P},
    "bert": _ENCODER,
    "roberta": _ENCODER,
    "roformer": _ENCODER,
    "xglm": _BODY
    | {"max_position_embeddings": P, "d_model": 16, "num_layers": 1, "attention_heads": 2, "ffn_dim": 16},
    "bloom": _BODY | {"hidden_size": 16, "n_layer": 1, "n_head": 2},
    "llama": _LLAMA,
    "gpt_neox": _LLAMA,
    "qwen2": _LLAMA,
}


def make(family: str) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **FAMILIES[family])).eval()


def reads(model: Any, count: int) -> bool:
    """Whether it computes logits of so many tokens, none of them padding."""
    try:
        with torch.inference_mode():
            model(input_ids=torch.full((1, count), 5), attention_mask=torch.ones(1, count, dtype=torch.long))
    except (IndexError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize("family", FAMILIES)
def test_the_limit_is_where_the_network_fails(family: str) -> None:
    model = make(family)
    limit = find_position_limit(model)
    if limit is None:
        assert reads(model, 3 * P)
    else:
        assert (reads(model, limit), reads(model, limit + 1)) == (True, False)


def test_the_limit_is_known_without_weights_and_through_adapters() -> None:
    with torch.device("meta"):
        assert find_position_limit(make("gpt2")) == P
    adapted = peft.get_peft_model(make("gpt2"), peft.LoraConfig(r=2, task_type="CAUSAL_LM"))
    assert find_position_limit(adapted) == P


def test_a_checkpoint_takes_no_more_than_its_biases_do(tiny_bloom: Path, tmp_path: Path) -> None:
    """MPT says nothing of `max_position_embeddings`, and its tokenizer may know no limit."""
    AutoTokenizer.from_pretrained(tiny_bloom).save_pretrained(tmp_path)
    config = AutoConfig.for_model("mpt", **FAMILIES["mpt"] | {"vocab_size": 300})
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    assert open_checkpoint(str(tmp_path), "instruction", ()).max_length == P


def test_virtual_tokens_take_positions() -> None:
    config = peft.PromptTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM")
    model = peft.get_peft_model(make("gpt2"), config).eval()
    assert find_position_limit(model) == P - 5
    assert (reads(model, P - 5), reads(model, P - 4)) == (True, False)
