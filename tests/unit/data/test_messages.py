"""Lists of messages of the usual forms are read as one; tools, images and unknown roles are named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headstart.data.messages import CONTEXT, list_unread_keys, parse_messages, read_messages
from headstart.errors import DataError

OPENAI = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": "u"},
    {"role": "assistant", "content": "a"},
]
SHAREGPT = [
    {"from": "system", "value": "s"},
    {"from": "human", "value": "u"},
    {"from": "gpt", "value": "a"},
]
#: As Parquet gives a list whose messages do not all have the same keys.
FILLED = [
    {**message, "name": None, "weight": None, "tool_calls": None, "from": None, "value": None}
    for message in OPENAI
]


def read(value: Any, *, until_answer: bool = True) -> list[tuple[str, str]]:
    return read_messages(value, "messages", "f:7", until_answer=until_answer)


#: As the library `datasets` may give it.
COLUMNS = {"role": ["system", "user", "assistant"], "content": ["s", "u", "a"]}


@pytest.mark.parametrize(
    "cell",
    [
        COLUMNS,
        [*SHAREGPT[:2], OPENAI[2]],
        OPENAI,
        SHAREGPT,
        FILLED,
        json.dumps(OPENAI),
        str(OPENAI),
        json.dumps(SHAREGPT),
        f" {SHAREGPT}\n",
    ],
)
def test_one_conversation_in_all_its_forms(cell: Any) -> None:
    assert read(cell) == [("system", "s"), ("user", "u"), ("assistant", "a")]
    assert len(parse_messages(cell) or ()) == 3


@pytest.mark.parametrize("content", ["", "  ", None, []])
def test_an_empty_system_message_is_as_none(content: Any) -> None:
    assert read([{"role": "system", "content": content}, *OPENAI[1:]]) == read(OPENAI[1:])


def test_a_developer_is_the_system() -> None:
    assert read([{"role": "developer", "content": "s"}, *OPENAI[1:]]) == read(OPENAI)


def test_parts_of_text_are_one_text() -> None:
    parts = [{"type": "text", "text": "u"}, {"type": "text", "text": "v", "image_url": None}, "w"]
    assert read([{"role": "user", "content": parts}, OPENAI[2]])[0] == ("user", "uvw")


@pytest.mark.parametrize("mark", [{"weight": 0}, {"train": False}])
def test_an_answer_that_the_file_keeps_out_of_the_loss_is_context(mark: dict[str, Any]) -> None:
    told = [OPENAI[1], OPENAI[2] | mark, OPENAI[1], OPENAI[2] | {"weight": 1}, OPENAI[1], OPENAI[2] | mark]
    assert [role for role, _ in read(told)] == ["user", CONTEXT, "user", "assistant"]


def test_what_follows_the_last_answer_is_not_looked_at() -> None:
    behind = [{"role": "tool", "content": None}, "no message"]
    assert read([*OPENAI, *behind]) == read(OPENAI)
    with pytest.raises(DataError, match="message 4"):
        read([*OPENAI, *behind], until_answer=False)


CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f"}}]}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([OPENAI[1], CALL, OPENAI[2]], "message 2 of column 'messages' is a tool turn (tool_calls)"),
        ([OPENAI[1], {"role": "tool", "content": "x"}, OPENAI[2]], "is a tool turn (role tool)"),
        ([OPENAI[1], {"from": "function_call", "value": "x"}, OPENAI[2]], "(role function_call)"),
        ([OPENAI[1], {"from": "observation", "value": "x"}, OPENAI[2]], "(role observation)"),
        ([OPENAI[1], {"role": "assistant", "function_call": {"name": "f"}}], "(function_call)"),
        ([{"role": "user", "content": None}, OPENAI[2]], "None in message 1"),
        ([OPENAI[1], {"role": "assistant", "content": ""}], "'' in message 2"),
        ([{"role": "bot", "content": "x"}, OPENAI[2]], "message 1 of column 'messages' has role 'bot'"),
        ([{"role": "user", "content": [{"type": "image_url"}]}, OPENAI[2]], "a part of type image_url"),
        ([{"role": "user", "content": [{"type": "text", "text": None}]}, OPENAI[2]], "a part of type text"),
        ([{"role": "user", "content": [7]}, OPENAI[2]], "a part of type int"),
        ([{"user": "u", "assistant": "a"}], "message 1 of column 'messages' is {'user'"),
        ("[{'role': 'user'}\n {'role': 'assistant'}]", "column 'messages' is not JSON"),
        ("hello", "column 'messages' is not JSON"),
        (7, "7 in column 'messages'"),
    ],
)
def test_what_is_no_text_of_a_conversation_is_named(messages: Any, words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(messages)
    assert words in caught.value.got
    assert caught.value.where == "f:7"
    assert caught.value.expected


@pytest.mark.parametrize("cell", ["[1, 2]", "[x] {y}", "", None, [], [{}], 3, "[{'a': 1}]", r"[{\d+}]", "u"])
def test_what_is_no_list_of_messages(cell: Any) -> None:
    assert parse_messages(cell) is None


def test_thoughts_and_images_of_messages_are_known_to_be_unread() -> None:
    thought = {**OPENAI[2], "thinking": "hm", "name": "x", "images": None}
    assert list_unread_keys([OPENAI[1], thought]) == ["thinking"]
    assert list_unread_keys("no list") == []
