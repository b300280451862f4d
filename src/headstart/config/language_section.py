"""The study file's `prompts` and `generation` as frozen types: what language models learn and are asked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from headstart.config.limits import MOST_NEW_TOKENS, MOST_TEXTS
from headstart.config.section import Section


class Prompts(Section):
    """How a causal model reads prompts and responses, and what of them it learns."""

    template: str = Field(
        default="auto",
        min_length=1,
        description="human: `<human>: ...` and `<assistant>: ...`; chat: the tokenizer's own chat template; "
        "auto: chat where the tokenizer has one, else human; else the path of a Jinja template.",
    )
    loss: Literal["response", "all"] = Field(
        default="response", description="Tokens in the loss: the responses with their end tokens, or all."
    )
    packing: bool = Field(
        default=False,
        description="Pack short texts of a batch into shared rows, without attention across texts.",
    )


class Generation(Section):
    """How prompts of valid and test are answered at the selected epoch, by greedy decoding."""

    max_new_tokens: int = Field(
        default=64, ge=1, le=MOST_NEW_TOKENS, description="Maximum tokens per answer."
    )
    texts: int = Field(
        default=100,
        ge=0,
        le=MOST_TEXTS,
        description="Prompts per part that are answered and scored; 0: none.",
    )
