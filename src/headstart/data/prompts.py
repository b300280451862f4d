"""Conversations become token ids and a mask of their loss: it counts the assistant's words and end tokens.

The mask is built by position, never by token id: where padding and end are one token, masking by id would
unlearn stopping. Each piece is tokenised by itself, so that a prompt's ids are those that generation sees.
The library renders templates, in its sandbox; one that does not put an answer behind its prompt is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import TemplateError

from headstart.config.study import Prompts
from headstart.data.conversations import find_answers, iterate_messages
from headstart.data.corpus import Text
from headstart.data.tokenise import Tokens
from headstart.errors import DataError

#: `<human>: ...` and `<assistant>: ...`, a line each, and the end token behind every answer.
HUMAN_TEMPLATE = """\
{%- for message in messages -%}
{%- if message.role == "system" -%}{{ message.content }}
{% elif message.role == "user" -%}<human>: {{ message.content }}
{% else -%}<assistant>: {{ message.content }}{{ eos_token }}
{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<assistant>:{%- endif -%}
"""


def set_chat_template(tokenizer: Any, prompts: Prompts) -> None:
    """Set the tokenizer's chat template as the study says; it is saved with the model.

    Raises:
        DataError: the tokenizer has no end token or no chat template, or the file cannot be read.
    """
    if tokenizer.eos_token is None:
        raise DataError("the tokenizer has no end token, so no answer could stop", where="model")
    if prompts.template == "human":
        tokenizer.chat_template = _find_start_token(tokenizer) + HUMAN_TEMPLATE
    elif prompts.template != "chat":
        tokenizer.chat_template = _read_template(Path(prompts.template))
    if not tokenizer.chat_template:
        raise DataError(
            "the tokenizer has no chat template",
            where="prompts.template",
            expected="human, or the path of a Jinja template",
        )


def _find_start_token(tokenizer: Any) -> str:
    """The start token, where the tokenizer puts one before texts."""
    starts = tokenizer.bos_token_id is not None and tokenizer("a").input_ids[0] == tokenizer.bos_token_id
    return "{{- bos_token -}}" if starts else ""


def _read_template(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read", where="prompts.template", expected="human, chat, or a Jinja file"
        ) from error


@dataclass(frozen=True)
class Segment:
    """A stretch of a conversation; an answer counts in the loss and has an end token behind it."""

    text: str
    is_answer: bool


def render_pieces(text: Text, tokenizer: Any, *, add_generation_prompt: bool = False) -> Iterator[Segment]:
    """The conversation as pieces, one after the other.

    Args:
        add_generation_prompt: go on up to where the next answer would begin.

    Raises:
        DataError: the template fails, or writes an answer elsewhere than behind its prompt.
    """
    messages, written = list(iterate_messages(text)), ""
    for i in find_answers(text):
        prompt = _render_messages(messages[:i], tokenizer, add_generation_prompt=True)
        answered = _render_messages(messages[: i + 1], tokenizer, add_generation_prompt=False)
        if not (prompt.startswith(written) and answered.startswith(prompt)):
            raise DataError(
                "it does not put the answer behind the prompt that add_generation_prompt writes",
                where="prompts.template",
                expected="the same text before every answer, whether it is asked for or there",
            )
        yield Segment(prompt[len(written) :], is_answer=False)
        answer, end, _ = answered[len(prompt) :].partition(tokenizer.eos_token)
        yield Segment(answer if end else answer.rstrip(), is_answer=True)
        written = prompt + answer + end
    if add_generation_prompt:
        yield Segment(
            _render_messages(messages, tokenizer, add_generation_prompt=True)[len(written) :], is_answer=False
        )


def _render_messages(messages: Sequence[tuple[str, str]], tokenizer: Any, add_generation_prompt: bool) -> str:
    """The messages as the tokenizer's template writes them; whatever it does wrong is one error of ours."""
    named = [{"role": role, "content": content} for role, content in messages]
    try:
        text: str = tokenizer.apply_chat_template(
            named, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except (TemplateError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"it fails: {error}", where="prompts.template") from error
    return text


def tokenise_conversation(
    text: Text, tokenizer: Any, *, add_generation_prompt: bool = False
) -> tuple[list[int], list[bool]]:
    """A conversation as ids [T], and a mask [T]: whether a token is an answer's or its end."""
    ids: list[int] = []
    mask: list[bool] = []
    for piece in render_pieces(text, tokenizer, add_generation_prompt=add_generation_prompt):
        piece_ids = tokenizer(piece.text, add_special_tokens=False, verbose=False).input_ids
        ids += piece_ids
        mask += [piece.is_answer] * len(piece_ids)
        if piece.is_answer:
            ids.append(tokenizer.eos_token_id)
            mask.append(True)
    return ids, mask


def encode_prompt(text: Text, tokenizer: Any) -> list[int]:
    """The ids after which a model answers a conversation that ends with a user's message."""
    return tokenise_conversation(text, tokenizer, add_generation_prompt=True)[0]


def encode_conversations(
    texts: Sequence[Text], tokenizer: Any, max_length: int, *, all_tokens: bool = False
) -> Tokens:
    """Conversations cut at `max_length` tokens, with the mask of their loss; a cut answer has no end token.

    Args:
        all_tokens: the loss counts the prompts' tokens too.
    """
    encoded = [tokenise_conversation(text, tokenizer) for text in texts]
    ids = [np.asarray(all_ids[:max_length], np.int32) for all_ids, _ in encoded]
    masks = [np.asarray(mask[:max_length], bool) | all_tokens for _, mask in encoded]
    truncated = sum(len(all_ids) > max_length for all_ids, _ in encoded)
    starts = np.cumsum([0, *map(len, ids)])
    return Tokens(np.concatenate(ids), starts, None, truncated, loss_mask=np.concatenate(masks))
