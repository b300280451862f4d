"""Loss falls on answers and their end tokens alone: by position, in any template, cut or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from headstart.config.language_section import Prompts
from headstart.data.batches import IGNORE_INDEX, collate, count_loss_tokens
from headstart.data.chat_templates import set_chat_template
from headstart.data.corpus import Text
from headstart.data.prompts import ConversationEncoder, encode_conversations
from headstart.errors import DataError

ONE: Text = ("user", "Why?", "assistant", "Because.")
TWO: Text = (
    "system",
    "Be brief.",
    "user",
    "Why?",
    "assistant",
    "Because.",
    "user",
    "Oh?",
    "assistant",
    "Yes",
)
#: As many models have it, an end token behind every message.
CHATML = """\
{%- for message in messages -%}
<|{{ message.role }}|>
{{ message.content }}{{ eos_token }}
{% endfor -%}
{%- if add_generation_prompt -%}<|assistant|>
{% endif -%}
"""
#: Without an end token: one is put behind the answer.
BARE = """\
{% for m in messages %}{{ "Q: " if m.role != "assistant" else "A: " }}{{ m.content }}
{% endfor %}{% if add_generation_prompt %}A: {% endif %}"""


@pytest.fixture
def tokenizer(tiny_bloom: Path) -> Any:
    """Reads bytes; its padding token is its end token."""
    return AutoTokenizer.from_pretrained(tiny_bloom)


def _template(tokenizer: Any, source: str, folder: Path) -> None:
    if source == "human":
        set_chat_template(tokenizer, Prompts())
    elif source == "chat":
        tokenizer.chat_template = CHATML
        set_chat_template(tokenizer, Prompts(template="chat"))
    else:
        (folder / "own.jinja").write_text(source, encoding="utf-8")
        set_chat_template(tokenizer, Prompts(template=str(folder / "own.jinja")))


def _decode_labelled(tokens: Any, tokenizer: Any, i: int = 0) -> str:
    """What carries loss, as text."""
    span = slice(tokens.starts[i], tokens.starts[i + 1])
    text: str = tokenizer.decode(tokens.input_ids[span][tokens.loss_mask[span]])
    return text


@pytest.mark.parametrize(
    ("source", "rendered", "with_loss"),
    [
        ("human", "<human>: Why?\n<assistant>: Because.</s>", " Because.</s>"),
        ("chat", "<|user|>\nWhy?</s>\n<|assistant|>\nBecause.</s>", "Because.</s>"),
        (BARE, "Q: Why?\nA: Because.</s>", "Because.</s>"),
    ],
)
def test_the_answer_and_its_end_carry_loss(
    tokenizer: Any, tmp_path: Path, source: str, rendered: str, with_loss: str
) -> None:
    _template(tokenizer, source, tmp_path)
    tokens = encode_conversations([ONE], tokenizer, 200)
    assert tokenizer.decode(tokens.input_ids) == rendered
    assert _decode_labelled(tokens, tokenizer) == with_loss
    assert tokens.truncated == 0
    assert count_loss_tokens(tokens).tolist() == [len(with_loss.replace("</s>", "")) + 1]


@pytest.mark.parametrize(
    ("source", "with_loss"),
    [
        ("human", " Because.</s> Yes</s>"),
        ("chat", "Because.</s>Yes</s>"),
        (BARE, "Because.</s>Yes</s>"),
    ],
)
def test_every_answer_of_a_conversation_carries_loss(
    tokenizer: Any, tmp_path: Path, source: str, with_loss: str
) -> None:
    _template(tokenizer, source, tmp_path)
    assert _decode_labelled(encode_conversations([TWO], tokenizer, 500), tokenizer) == with_loss


@pytest.mark.parametrize("source", ["human", "chat", BARE])
def test_a_prompt_is_asked_as_it_was_learnt(tokenizer: Any, tmp_path: Path, source: str) -> None:
    """The ids before an answer in training are the ids that generation begins with."""
    _template(tokenizer, source, tmp_path)
    for text in (ONE, TWO):
        ids, flags = ConversationEncoder(tokenizer).encode(text)
        prompt = ConversationEncoder(tokenizer).encode_prompt(text[:-2])
        assert ids[: len(prompt)] == prompt
        assert flags[len(prompt) :] == [True] * (len(ids) - len(prompt))
        assert not flags[len(prompt) - 1]


def test_a_cut_answer_keeps_what_fits_and_learns_no_end(tokenizer: Any) -> None:
    set_chat_template(tokenizer, Prompts())
    full_length = len(ConversationEncoder(tokenizer).encode(ONE)[0])
    tokens = encode_conversations([ONE, ONE, ONE], tokenizer, full_length - 3)
    assert _decode_labelled(tokens, tokenizer) == " Becaus"
    assert tokens.truncated == 3
    nothing = encode_conversations([ONE], tokenizer, 10)
    assert count_loss_tokens(nothing).tolist() == [0]


def test_masks_go_by_position_not_by_id(tokenizer: Any) -> None:
    """The end token is learnt though padding has its id, and padding is not."""
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    set_chat_template(tokenizer, Prompts())
    long: Text = ("user", "Why?", "assistant", "Because of that, and of much else.")
    tokens = encode_conversations([ONE, long], tokenizer, 200)
    batch = collate(tokens, [0, 1], np.zeros(2), tokenizer.pad_token_id)
    assert batch.token_labels is not None
    first = batch.token_labels[0]
    assert tokenizer.decode(first[first >= 0]) == " Because.</s>"
    end = int(np.flatnonzero(first >= 0)[-1])
    assert first[end] == tokenizer.eos_token_id
    assert (first[end + 1 :] == IGNORE_INDEX).all()
    assert (batch.input_ids[0, end + 2 :] == tokenizer.pad_token_id).all()
    # A target stands where the token before it is read.
    places = np.flatnonzero(first >= 0)
    assert (batch.input_ids[0, places + 1] == first[places]).all()
    assert (batch.token_labels >= 0).sum(1).tolist() == count_loss_tokens(tokens).tolist()


def test_all_tokens_may_carry_loss_but_the_first(tokenizer: Any) -> None:
    set_chat_template(tokenizer, Prompts())
    tokens = encode_conversations([ONE], tokenizer, 200, all_tokens=True)
    assert count_loss_tokens(tokens).tolist() == [len(tokens.input_ids) - 1]


def test_a_start_token_comes_first_where_the_tokenizer_puts_one(tokenizer: Any) -> None:
    from tokenizers.processors import TemplateProcessing

    set_chat_template(tokenizer, Prompts(template="human"))
    assert ConversationEncoder(tokenizer).encode(ONE)[0][0] != tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
    set_chat_template(tokenizer, Prompts(template="human"))
    ids, flags = ConversationEncoder(tokenizer).encode(ONE)
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.bos_token_id not in ids[1:]
    assert not flags[0]
    assert tokenizer.decode(ids[1:]) == "<human>: Why?\n<assistant>: Because.</s>"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ messages[0].content", "it fails"),
        ("{{ messages.nothing.there }}", "it fails"),
        ("{{ ''.__class__.__mro__ }}", "it fails"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", None),
        ("{% if add_generation_prompt %}A{% endif %}{{ messages[-1].content }}", "after the prompt"),
    ],
)
def test_templates_that_cannot_be_used(
    tokenizer: Any, tmp_path: Path, source: str, words: str | None
) -> None:
    _template(tokenizer, source, tmp_path)
    if words is None:
        assert _decode_labelled(encode_conversations([ONE], tokenizer, 200), tokenizer) == "Because.</s>"
        return
    with pytest.raises(DataError, match=words):
        ConversationEncoder(tokenizer).encode(ONE)


def test_what_a_tokenizer_lacks_is_said(tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no chat template"):
        set_chat_template(tokenizer, Prompts(template="chat"))
    with pytest.raises(DataError, match="cannot be read"):
        set_chat_template(tokenizer, Prompts(template=str(tmp_path / "none.jinja")))
    tokenizer.eos_token = None
    with pytest.raises(DataError, match="no end token"):
        set_chat_template(tokenizer, Prompts())
