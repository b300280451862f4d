"""Prompts, responses and messages become conversations; what nobody could learn from is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headstart.config.study import Data
from headstart.data.conversations import drop_last_answer, iterate_messages, read_conversation
from headstart.errors import DataError

PAIRS = Data(path="x")
CHAT = Data(path="x", messages="messages")


def test_a_prompt_and_a_response() -> None:
    text = read_conversation({"prompt": "a?", "response": "b"}, PAIRS, "f:1")
    assert text == ("user", "a?", "assistant", "b")
    assert list(iterate_messages(text)) == [("user", "a?"), ("assistant", "b")]
    assert drop_last_answer(text) == ("user", "a?")
    named = Data(path="x", prompt="q", response="a")
    assert read_conversation({"q": "a?", "a": "b"}, named, "f:1") == text


MESSAGES = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": "u"},
    {"role": "assistant", "content": "a"},
    {"role": "user", "content": "left out: nobody answers"},
]


@pytest.mark.parametrize("cell", [MESSAGES, json.dumps(MESSAGES)])
def test_messages_up_to_the_last_answer(cell: Any) -> None:
    text = read_conversation({"messages": cell}, CHAT, "f:1")
    assert text == ("system", "s", "user", "u", "assistant", "a")


@pytest.mark.parametrize(
    ("cells", "data", "words"),
    [
        ({"prompt": "a"}, PAIRS, "no column 'response'"),
        ({"prompt": "a", "response": " "}, PAIRS, "column 'response'"),
        ({"prompt": None, "response": "b"}, PAIRS, "column 'prompt'"),
        ({"prompt": "\ud83d", "response": "b"}, PAIRS, "half a character"),
        ({"messages": "[1"}, CHAT, "not JSON"),
        ({"messages": {"role": "user"}}, CHAT, "column 'messages'"),
        ({"messages": [{"role": "user"}]}, CHAT, "message 1"),
        ({"messages": [{"role": "bot", "content": "x"}]}, CHAT, "role 'bot'"),
        ({"messages": MESSAGES[:2]}, CHAT, "no message of the assistant"),
        ({"messages": MESSAGES[2:3]}, CHAT, "no message of the assistant"),
    ],
)
def test_mistakes_are_named(cells: dict[str, Any], data: Data, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_conversation(cells, data, "f:7")
    assert caught.value.where == "f:7"
