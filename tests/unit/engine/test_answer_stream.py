"""The pieces that are told of an answer are the answer's text: no frame, no end token, no half characters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from headstart.data.prompts import ConversationEncoder
from headstart.engine.answer_stream import AnswerStream

#: Writes an empty think block before an answer.
THINKING = """\
{%- for message in messages -%}
<|{{ message.role }}|>{% if message.role == "assistant" %}<think>

</think>

{% endif %}{{ message.content }}{{ eos_token }}
{% endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{% endif -%}
"""


@pytest.fixture
def tokenizer(tiny_bloom: Path) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bloom)
    tokenizer.chat_template = THINKING
    return tokenizer


def stream(tokenizer: Any, answer: str, stop_ids: set[int], held: int = 0) -> list[str]:
    """The pieces told of an answer that a model writes token by token."""
    pieces: list[str] = []
    clean = ConversationEncoder(tokenizer).clean_answer
    told = AnswerStream(tokenizer, stop_ids, clean, pieces.append, held)
    told.put(torch.tensor([[3, 4, 5]]))
    for i in tokenizer(answer, add_special_tokens=False).input_ids:
        told.put(torch.tensor([i]))
    told.end()
    return pieces


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Yes, h\u00e9 \U0001f600.", "Yes, h\u00e9 \U0001f600."),
        ("<think>\n\n</think>\n\nYes.</s>", "Yes."),
        ("<think>\n\n</think>\n\n", ""),
        ("<think>", "<think>"),
        ("\n <thing> \n", "<thing>"),
        ("two\n\nlines\n", "two\n\nlines"),
    ],
)
def test_the_pieces_are_the_answer(tokenizer: Any, answer: str, text: str) -> None:
    pieces = stream(tokenizer, answer, {2})
    encoder = ConversationEncoder(tokenizer)
    assert "".join(pieces) == encoder.clean_answer(answer.removesuffix("</s>")) == text
    assert not any("\ufffd" in piece for piece in pieces)


def test_an_end_that_is_not_special_is_not_told(tokenizer: Any) -> None:
    stop = tokenizer("!", add_special_tokens=False).input_ids
    assert "".join(stream(tokenizer, "Yes!", set(stop))) == "Yes"


def test_pieces_come_while_the_answer_grows(tokenizer: Any) -> None:
    assert stream(tokenizer, "Yes.", {2}) == ["Y", "e", "s", "."]
    assert stream(tokenizer, "Yes.", {2}, held=2) == ["Y", "e", "s."]
