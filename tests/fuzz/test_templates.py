"""Chat templates of people and of checkpoints, rendered on odd conversations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import own_folder, run_to_end
from headstart.config.language_section import Prompts
from headstart.data.chat_templates import HUMAN_TEMPLATE, render, render_blocks, set_chat_template
from headstart.data.prompts import ConversationEncoder
from odd_values import ODD_TEXTS, mutated_bytes, texts
from tiny_checkpoints import make_tokenizer

PIECES = (
    "{% for m in messages %}",
    "{% endfor %}",
    "{{ m.content }}",
    "{{ m['role'] }}",
    "{% generation %}",
    "{% endgeneration %}",
    "{% if add_generation_prompt %}",
    "{% endif %}",
    "{{ eos_token }}",
    "{% set x = x + 1 %}",
    "{{ messages[99].content.y }}",
    "{{ m.content | tojson | upper | replace('a', m.content) }}",
    "{{ raise_exception('no') }}",
    "{{ 1 / 0 }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ '%c' % -1 }}",
    "{{ '{:>9}'.format(m) }}",
    "{{ 10 ** 5000 }}",
    "{{ 'a' * 3000000000 }}",
    "{% for i in range(10**9) %}",
    "{% for i in range(9999) %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ strftime_now('%Y' * 9) }}",
    "{% include 'x' %}",
    "{% raw %}",
    "{{",
    "%}",
    "text",
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """One of whole words, with an end token."""
    return make_tokenizer()


def conversations() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Turns in any order."""
    turn = st.tuples(
        st.sampled_from(("user", "assistant", "system")), st.one_of(texts(), st.just("how many"))
    )
    answered = st.lists(turn, max_size=3).map(lambda turns: (*turns, ("user", "who"), ("assistant", "one")))
    return st.one_of(answered, st.lists(turn, min_size=1, max_size=4).map(tuple))


def templates() -> st.SearchStrategy[bytes]:
    """Pieces of Jinja in any order, the usual template with broken bytes, and odd texts."""
    pieces = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
    loop = pieces.map("{{% for m in messages %}}{}{{% endfor %}}".format)
    return st.one_of(
        st.one_of(pieces, loop, st.sampled_from(ODD_TEXTS)).map(str.encode),
        mutated_bytes(HUMAN_TEMPLATE.encode()),
    )


def read_with(tokenizer: Any, file: Path, messages: Any) -> None:
    """Set a template, and do with a conversation what training and answering do."""
    set_chat_template(tokenizer, Prompts(template=str(file)))
    render(messages, tokenizer, add_generation_prompt=True)
    render_blocks(messages, tokenizer)
    encoder = ConversationEncoder(tokenizer)
    flat = tuple(word for turn in messages for word in turn)
    encoder.encode_prompt(flat)
    if messages[-1][0] == "assistant":  # as every example that is learnt from ends
        encoder.encode(flat)


@given(template=templates(), messages=conversations())
def test_templates(tokenizer: Any, template: bytes, messages: Any) -> None:
    with own_folder() as folder:
        (folder / "chat.jinja").write_bytes(template)
        run_to_end(read_with, tokenizer, folder / "chat.jinja", messages, folder=folder)
